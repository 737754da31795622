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

  /// The path of a key that an object in it has twice, such as `constraints.local_only`; nil where none has.
  package var repeatedKey: String? {
    switch self {
    case .array(let items):
      for (index, item) in items.enumerated() {
        if let path = item.repeatedKey {
          return "[\(index)]" + (path.hasPrefix("[") ? "" : ".") + path
        }
      }
    case .object(let pairs):
      var seen = Set<[UInt8]>(minimumCapacity: pairs.count)
      for (key, value) in pairs {
        if !seen.insert(Array(key.utf8)).inserted { return key }
        if let path = value.repeatedKey { return key + (path.hasPrefix("[") ? "" : ".") + path }
      }
    case .null, .bool, .int, .double, .string: break
    }
    return nil
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

extension JSONValue: Equatable {
  /// Objects are equal with the same pairs in the same order; keys and texts byte by byte.
  package static func == (a: JSONValue, b: JSONValue) -> Bool {
    switch (a, b) {
    case (.null, .null): true
    case (.bool(let a), .bool(let b)): a == b
    case (.int(let a), .int(let b)): a == b
    case (.double(let a), .double(let b)): a == b
    case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
    case (.array(let a), .array(let b)): a == b
    case (.object(let a), .object(let b)):
      a.count == b.count
        && zip(a, b).allSatisfy { $0.key.utf8.elementsEqual($1.key.utf8) && $0.value == $1.value }
    default: false
    }
  }
}

extension JSONWriter {
  package mutating func value(_ value: JSONValue) {
    switch value {
    case .null: null()
    case .bool(let value): bool(value)
    case .int(let value): raw("\(value)".utf8)
    case .double(let value): number(value)
    case .string(let text): string(text)
    case .array(let items): array(items) { $0.value($1) }
    case .object(let pairs):
      object { json in
        for (key, value) in pairs {
          json.key(key)
          json.value(value)
        }
      }
    }
  }
}

extension JSONValue {
  /// Its text, without white space.
  package var json: [UInt8] {
    var writer = JSONWriter()
    writer.value(self)
    return writer.bytes
  }
}
