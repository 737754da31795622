import Foundation
import ModelFiles

/// A checkpoint's `config.json` or another of its JSON files, or an object in one, with errors that name file and field.
///
/// A value of null counts as missing, as it does to the library that writes these files.
package struct CheckpointConfiguration: Sendable {
  let path: String
  /// The fields that lead here, with a dot at the end.
  private let prefix: String
  private let values: [String: ConfigurationValue]

  /// No known file has a hundredth of this.
  static let maximumBytes = 4 << 20

  package init(path: String) throws(ModelFileError) {
    self.path = path
    prefix = ""
    values = try Self.decode([String: ConfigurationValue].self, path: path)
  }

  private init(path: String, prefix: String, values: [String: ConfigurationValue]) {
    self.path = path
    self.prefix = prefix
    self.values = values
  }

  /// The configuration, with values for keys that are missing: what the family's class has for them in the
  /// reference, where published files leave them out.
  func filled(with standards: [String: ConfigurationValue]) -> CheckpointConfiguration {
    CheckpointConfiguration(
      path: path, prefix: prefix,
      values: values.filter { $0.value != .null }.merging(standards) { own, _ in own })
  }

  /// A JSON file of bounded size.
  static func decode<Value: Decodable>(
    _ type: Value.Type, path: String, maximumBytes: Int = maximumBytes
  ) throws(ModelFileError) -> Value {
    let map = try MemoryMap(path: path)
    guard map.count <= maximumBytes else {
      throw ModelFileError(
        path: path, field: "file",
        problem: .invalid(value: "\(map.count) bytes", expected: "at most \(maximumBytes)"))
    }
    do {
      let decoder = JSONDecoder()
      // Python's library writes what is not finite as JSON5 has it (`Infinity`).
      decoder.allowsJSON5 = true
      return try decoder.decode(type, from: Data(map.bytes))
    } catch {
      throw ModelFileError(
        path: path, field: "file", problem: .invalid(value: "\(error)", expected: "valid JSON"))
    }
  }

  package func error(_ key: String, _ problem: ModelFileError.Problem) -> ModelFileError {
    ModelFileError(path: path, field: prefix + key, problem: problem)
  }

  /// Throws that the value of `key` is one that this build does not run.
  package func unsupported(_ key: String) -> ModelFileError {
    error(key, .unsupported(value: "\(values[key] ?? .null)"))
  }

  private func value(_ key: String) -> ConfigurationValue? {
    guard let value = values[key], value != .null else { return nil }
    return value
  }

  private func wrongType(_ key: String, _ value: ConfigurationValue, _ expected: String)
    -> ModelFileError
  {
    error(key, .wrongType(found: value.kind, expected: expected))
  }

  package func contains(_ key: String) -> Bool { value(key) != nil }

  /// Whether `key` has a number.
  func hasNumber(_ key: String) -> Bool {
    switch value(key) {
    case .int, .double: true
    default: false
    }
  }

  /// Throws where `key` has bounds that a number above 0 may be outside of.
  func refuseBounds(_ key: String) throws(ModelFileError) {
    guard let value = value(key) else { return }
    // As Python's library writes infinity, and as transformers does today.
    let endless: [ConfigurationValue] = [
      .double(.infinity), .object(["__float__": .string("Infinity")]),
    ]
    guard case .array(let bounds) = value, bounds.count == 2, endless.contains(bounds[1]),
      [.int(0), .double(0)].contains(bounds[0])
    else { throw unsupported(key) }
  }

  /// Whether `key` has an array with something in it.
  func hasItems(_ key: String) -> Bool {
    if case .array(let items)? = value(key) { !items.isEmpty } else { false }
  }

  package func optionalInt(_ key: String) throws(ModelFileError) -> Int? {
    guard let value = value(key) else { return nil }
    guard case .int(let number) = value else { throw wrongType(key, value, "an integer") }
    return number
  }

  package func int(_ key: String) throws(ModelFileError) -> Int {
    guard let value = try optionalInt(key) else { throw error(key, .missing) }
    return value
  }

  /// An integer that counts things: layers, experts.
  func count(_ key: String, limit: Int) throws(ModelFileError) -> Int {
    let value = try int(key)
    guard (0...limit).contains(value) else {
      throw error(key, .invalid(value: "\(value)", expected: "0 to \(limit)"))
    }
    return value
  }

  package func optionalDouble(_ key: String) throws(ModelFileError) -> Double? {
    guard let value = value(key) else { return nil }
    switch value {
    case .int(let number): return Double(number)
    case .double(let number): return number
    default: throw wrongType(key, value, "a number")
    }
  }

  func double(_ key: String) throws(ModelFileError) -> Double {
    guard let value = try optionalDouble(key) else { throw error(key, .missing) }
    return value
  }

  package func optionalBool(_ key: String) throws(ModelFileError) -> Bool? {
    guard let value = value(key) else { return nil }
    guard case .bool(let flag) = value else { throw wrongType(key, value, "a boolean") }
    return flag
  }

  package func optionalString(_ key: String) throws(ModelFileError) -> String? {
    guard let value = value(key) else { return nil }
    guard case .string(let text) = value else { throw wrongType(key, value, "a string") }
    return text
  }

  func optionalStrings(_ key: String) throws(ModelFileError) -> [String]? {
    guard let value = value(key) else { return nil }
    guard case .array(let items) = value else { throw wrongType(key, value, "an array") }
    var strings: [String] = []
    for item in items {
      guard case .string(let text) = item else {
        throw wrongType(key, item, "an array of strings")
      }
      strings.append(text)
    }
    return strings
  }

  package func optionalInts(_ key: String) throws(ModelFileError) -> [Int]? {
    guard let value = value(key) else { return nil }
    guard case .array(let items) = value else { throw wrongType(key, value, "an array") }
    var numbers: [Int] = []
    for item in items {
      guard case .int(let number) = item else {
        throw wrongType(key, item, "an array of integers")
      }
      numbers.append(number)
    }
    return numbers
  }

  package func doubles(_ key: String) throws(ModelFileError) -> [Double] {
    guard let value = value(key) else { throw error(key, .missing) }
    guard case .array(let items) = value else { throw wrongType(key, value, "an array") }
    var numbers: [Double] = []
    for item in items {
      switch item {
      case .int(let number): numbers.append(Double(number))
      case .double(let number): numbers.append(number)
      default: throw wrongType(key, item, "an array of numbers")
      }
    }
    return numbers
  }

  /// Numbers of a head, as the configuration states or implies them; nil where it does neither.
  func headDim() throws(ModelFileError) -> Int? {
    if let headDim = try optionalInt("head_dim") { return headDim }
    let heads = try int("num_attention_heads")
    return heads > 0 ? try int("hidden_size") / heads : nil
  }

  /// Which layers see a window only, by `layer_types`; nil where there are none.
  func windowedLayers() throws(ModelFileError) -> [Bool]? {
    guard let kinds = try optionalStrings("layer_types") else { return nil }
    var windowed: [Bool] = []
    for kind in kinds {
      switch kind {
      case "sliding_attention": windowed.append(true)
      case "full_attention": windowed.append(false)
      default: throw unsupported("layer_types")
      }
    }
    return windowed
  }

  package func optionalObject(_ key: String) throws(ModelFileError) -> CheckpointConfiguration? {
    guard let value = value(key) else { return nil }
    guard case .object(let values) = value else { throw wrongType(key, value, "an object") }
    return CheckpointConfiguration(path: path, prefix: prefix + key + ".", values: values)
  }

  /// Throws unless the text of `key`, or `standard` if there is none, is among `known`.
  func require(
    _ key: String, among known: [String], standard: String
  ) throws(ModelFileError) {
    let text = try optionalString(key) ?? standard
    guard known.contains(text) else { throw unsupported(key) }
  }
}
