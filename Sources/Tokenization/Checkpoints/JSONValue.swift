/// A JSON value whose objects keep every pair, in order and byte by byte.
///
/// Swift's dictionaries take keys that are canonically equivalent for the same; a vocabulary has
/// both "é" as one scalar and as two, so Foundation's readers would lose tokens.
package enum JSONValue: Sendable {
  case null
  case bool(Bool)
  case int(Int)
  case double(Double)
  case string(String)
  case array([JSONValue])
  case object([(key: String, value: JSONValue)])

  /// The last value under the key, as in most readers; nil where there is none.
  package subscript(key: String) -> JSONValue? {
    guard case .object(let pairs) = self else { return nil }
    return pairs.last { $0.key.utf8.elementsEqual(key.utf8) }?.value
  }

  package var isNull: Bool {
    if case .null = self { true } else { false }
  }

  /// What kind of value it is, for messages.
  package var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .int: "an integer"
    case .double: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}
