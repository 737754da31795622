/// A checkpoint's configuration under the keys that GGUF files have for it, so that a family reads
/// both alike.
package struct CheckpointMetadata: ModelMetadata, Sendable {
  /// Values by their key without the architecture.
  private var values: [String: ConfigurationValue] = [:]
  private let prefix: String

  init(architecture: String) { prefix = architecture + "." }

  subscript(key: String) -> ConfigurationValue? {
    get { values[key] }
    set { values[key] = newValue }
  }

  mutating func set(_ key: String, _ value: Int?) { values[key] = value.map { .int($0) } }
  mutating func set(_ key: String, _ value: Double?) { values[key] = value.map { .double($0) } }
  mutating func set(_ key: String, _ value: Bool?) { values[key] = value.map { .bool($0) } }
  mutating func set(_ key: String, _ value: [Bool]?) {
    values[key] = value.map { .array($0.map { .bool($0) }) }
  }
  mutating func set(_ key: String, _ value: [Int]?) {
    values[key] = value.map { .array($0.map { .int($0) }) }
  }
  mutating func set(_ key: String, _ value: String?) { values[key] = value.map { .string($0) } }

  private func value(_ key: String) -> ConfigurationValue? {
    key.hasPrefix(prefix) ? values[String(key.dropFirst(prefix.count))] : nil
  }

  package func int(_ key: String) -> Int? {
    if case .int(let value)? = value(key) { value } else { nil }
  }

  package func double(_ key: String) -> Double? {
    switch value(key) {
    case .int(let value)?: Double(value)
    case .double(let value)?: value
    default: nil
    }
  }

  package func string(_ key: String) -> String? {
    if case .string(let value)? = value(key) { value } else { nil }
  }

  package func bool(_ key: String) -> Bool? {
    if case .bool(let value)? = value(key) { value } else { nil }
  }

  package func bools(_ key: String) -> [Bool]? {
    guard case .array(let items)? = value(key) else { return nil }
    let bools = items.compactMap { if case .bool(let value) = $0 { value } else { nil } }
    return bools.count == items.count ? bools : nil
  }

  package func ints(_ key: String) -> [Int]? {
    guard case .array(let items)? = value(key) else { return nil }
    let ints = items.compactMap { if case .int(let value) = $0 { value } else { nil } }
    return ints.count == items.count ? ints : nil
  }

  package func contains(_ key: String) -> Bool { value(key) != nil }
}
