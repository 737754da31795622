import JSON

/// JSON schemas, as short as a table of fields.
enum APISchema {
  typealias Field = (name: String, schema: JSONValue)

  static let text = type("string")
  static let whole = type("integer")
  static let number = type("number")
  static let flag = type("boolean")
  /// Anything, described elsewhere.
  static let any = JSONValue.object([])

  private static func type(_ name: String) -> JSONValue { .object([("type", .string(name))]) }

  /// - Parameter isOpen: Whether other fields may be there, too.
  static func object(
    _ fields: [Field], required: [String] = [], isOpen: Bool = true
  ) -> JSONValue {
    var pairs: [(key: String, value: JSONValue)] = [
      ("type", .string("object")), ("properties", .object(fields.map { ($0.name, $0.schema) })),
    ]
    if !required.isEmpty { pairs.append(("required", .array(required.map { .string($0) }))) }
    if !isOpen { pairs.append(("additionalProperties", .bool(false))) }
    return .object(pairs)
  }

  static func map(of values: JSONValue) -> JSONValue {
    .object([("type", .string("object")), ("additionalProperties", values)])
  }

  static func list(of items: JSONValue) -> JSONValue {
    .object([("type", .string("array")), ("items", items)])
  }

  static func oneOf(_ words: [String]) -> JSONValue {
    .object([("type", .string("string")), ("enum", .array(words.map { .string($0) }))])
  }

  static func anyOf(_ schemas: JSONValue...) -> JSONValue {
    .object([("anyOf", .array(schemas))])
  }

  /// One of the document's own schemas.
  static func ref(_ name: String) -> JSONValue {
    .object([("$ref", .string("#/components/schemas/\(name)"))])
  }

  static func range(_ schema: JSONValue, _ least: Double, _ most: Double) -> JSONValue {
    schema.with("minimum", .double(least)).with("maximum", .double(most))
  }
}

extension JSONValue {
  /// An object with one pair more.
  func with(_ key: String, _ value: JSONValue) -> JSONValue {
    guard case .object(let pairs) = self else { return self }
    return .object(pairs + [(key, value)])
  }

  /// A schema with words for people.
  func saying(_ description: String) -> JSONValue { with("description", .string(description)) }
}
