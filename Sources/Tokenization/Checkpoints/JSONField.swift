import Foundation
import JSON
import ModelFiles

/// A value of a checkpoint's JSON file with the way to it, so that errors name file and field.
///
/// A value of null counts as missing, as it does to the library that writes these files.
struct JSONField: Sendable {
  /// Nil where there is none.
  let value: JSONValue?
  /// The file's name.
  let file: String
  /// The keys that lead here, such as `model.merges[3]`.
  let path: String

  /// More than twice the largest vocabulary's file that is known.
  static let maximumBytes = 128 << 20

  /// A whole file.
  init(path: String) throws(TokenizerError) {
    file = URL(filePath: path).lastPathComponent
    self.path = ""
    let map: MemoryMap
    do {
      map = try MemoryMap(path: path)
    } catch {
      throw TokenizerError(field: file, problem: "\(error)")
    }
    guard map.count <= Self.maximumBytes else {
      throw TokenizerError(
        field: file, problem: "has \(map.count) bytes, expected at most \(Self.maximumBytes)")
    }
    do {
      value = try withExtendedLifetime(map) { () throws(JSONParser.Failure) in
        try JSONParser.parse(map.bytes)
      }
    } catch {
      throw TokenizerError(
        field: file, problem: "is no JSON: \(error.problem) at byte \(error.offset)")
    }
    guard case .object? = value else {
      throw TokenizerError(field: file, problem: "is no object")
    }
  }

  /// A file that need not be there; without it every field is missing.
  init(optionalPath path: String) throws(TokenizerError) {
    if FileManager.default.fileExists(atPath: path) {
      try self.init(path: path)
    } else {
      self.init(value: nil, file: URL(filePath: path).lastPathComponent, path: "")
    }
  }

  private init(value: JSONValue?, file: String, path: String) {
    if case .null? = value { self.value = nil } else { self.value = value }
    self.file = file
    self.path = path
  }

  var isMissing: Bool { value == nil }

  /// The file and the way to the value.
  var name: String { path.isEmpty ? file : "\(file) \(path)" }

  func error(_ problem: String) -> TokenizerError {
    TokenizerError(field: name, problem: problem)
  }

  private func wrongType(_ expected: String) -> TokenizerError {
    error("is \(value?.kind ?? "missing"), expected \(expected)")
  }

  subscript(key: String) -> JSONField {
    JSONField(value: value?[key], file: file, path: path.isEmpty ? key : "\(path).\(key)")
  }

  subscript(index: Int) -> JSONField {
    var item: JSONValue?
    if case .array(let items)? = value, items.indices.contains(index) { item = items[index] }
    return JSONField(value: item, file: file, path: "\(path)[\(index)]")
  }

  func string() throws(TokenizerError) -> String? {
    guard let value else { return nil }
    guard case .string(let text) = value else { throw wrongType("a string") }
    return text
  }

  func requiredString() throws(TokenizerError) -> String {
    guard let text = try string() else { throw error("is missing") }
    return text
  }

  func bool() throws(TokenizerError) -> Bool? {
    guard let value else { return nil }
    guard case .bool(let flag) = value else { throw wrongType("a boolean") }
    return flag
  }

  func int() throws(TokenizerError) -> Int? {
    guard let value else { return nil }
    guard case .int(let number) = value else { throw wrongType("an integer") }
    return number
  }

  /// The fields of an array; none where it is missing.
  func items() throws(TokenizerError) -> [JSONField] {
    guard let value else { return [] }
    guard case .array(let items) = value else { throw wrongType("an array") }
    return items.indices.map { self[$0] }
  }

  /// The fields of an array, or the field itself where it is none.
  func itemsOrSelf() throws(TokenizerError) -> [JSONField] {
    if case .array? = value { try items() } else { [self] }
  }

  /// Throws unless the field is missing or has that text.
  func require(_ text: String) throws(TokenizerError) {
    guard let found = try string() else { return }
    guard found.utf8.elementsEqual(text.utf8) else { throw unsupported() }
  }

  /// Throws unless the field is missing or has that value.
  func require(_ flag: Bool) throws(TokenizerError) {
    guard let found = try bool(), found != flag else { return }
    throw unsupported()
  }

  /// That the value is one that this build does not know.
  func unsupported() -> TokenizerError {
    switch value {
    case .string(let text)?: error("\"\(text.prefix(300))\" is not supported")
    case .bool(let flag)?: error("\(flag) is not supported")
    case .int(let number)?: error("\(number) is not supported")
    default: error("is not supported")
    }
  }
}
