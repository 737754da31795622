import Foundation
import JSON
import ModelFiles
import Transformer

/// An object of a checkpoint's JSON files. A value of null counts as missing; one of another type is an error that
/// names the whole key.
struct Settings {
  private let value: JSONValue
  private let prefix: String

  /// No known file has a hundredth of this.
  private static let maximumBytes = 4 << 20

  static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  init(path: String) throws {
    let map = try MemoryMap(path: path)
    func invalid(_ value: String, _ expected: String) -> ModelFileError {
      ModelFileError(
        path: path, field: "file", problem: .invalid(value: value, expected: expected))
    }
    guard map.count <= Self.maximumBytes else {
      throw invalid("\(map.count) bytes", "at most \(Self.maximumBytes)")
    }
    do {
      value = try JSONParser.parse(map.bytes)
    } catch {
      throw invalid("\(error.problem) at byte \(error.offset)", "valid JSON")
    }
    guard case .object = value else { throw invalid(value.kind, "an object") }
    prefix = ""
  }

  private init(value: JSONValue, prefix: String) {
    self.value = value
    self.prefix = prefix
  }

  private func wrongType(
    _ key: String, _ found: JSONValue, _ expected: String
  ) -> ModelError {
    .invalidValue(key: prefix + key, value: found.kind, expected: expected)
  }

  private func found(_ key: String) -> JSONValue? {
    guard let found = value[key], !found.isNull else { return nil }
    return found
  }

  func object(_ key: String) throws(ModelError) -> Settings? {
    guard let found = found(key) else { return nil }
    guard case .object = found else { throw wrongType(key, found, "an object") }
    return Settings(value: found, prefix: prefix + key + ".")
  }

  func string(_ key: String) throws(ModelError) -> String? {
    guard let found = found(key) else { return nil }
    guard case .string(let text) = found else { throw wrongType(key, found, "a string") }
    return text
  }

  func int(_ key: String) throws(ModelError) -> Int? {
    guard let found = found(key) else { return nil }
    guard case .int(let number) = found else { throw wrongType(key, found, "an integer") }
    return number
  }

  func bool(_ key: String) throws(ModelError) -> Bool? {
    guard let found = found(key) else { return nil }
    guard case .bool(let flag) = found else { throw wrongType(key, found, "a boolean") }
    return flag
  }

  func double(_ key: String) throws(ModelError) -> Double? {
    guard let found = found(key) else { return nil }
    guard let number = Self.number(found) else { throw wrongType(key, found, "a number") }
    return number
  }

  func floats(_ key: String) throws(ModelError) -> [Float]? {
    guard let found = found(key) else { return nil }
    guard case .array(let items) = found else { throw wrongType(key, found, "an array") }
    var numbers: [Float] = []
    for item in items {
      guard let number = Self.number(item) else {
        throw wrongType(key, item, "an array of numbers")
      }
      numbers.append(Float(number))
    }
    return numbers
  }

  private static func number(_ value: JSONValue) -> Double? {
    switch value {
    case .int(let number): Double(number)
    case .double(let number): number
    default: nil
    }
  }
}
