import JSON

/// A schema's keywords.
struct SchemaObject {
  /// What `type` can say.
  enum Kind: String, CaseIterable {
    case null, boolean, string, integer, number, array, object

    func has(_ value: JSONValue) -> Bool {
      switch (self, value) {
      case (.null, .null), (.boolean, .bool), (.string, .string), (.array, .array),
        (.object, .object), (.integer, .int), (.number, .int), (.number, .double):
        true
      case (.integer, .double(let number)): number == number.rounded()
      default: false
      }
    }
  }

  let path: String
  private(set) var values: [String: JSONValue] = [:]
  /// In the order in which they stand.
  private(set) var keywords: [String] = []

  /// Keywords that are heeded.
  private static let known: Set<String> = [
    "$ref", "allOf", "anyOf", "oneOf", "type", "enum", "const", "nullable", "properties",
    "required", "additionalProperties", "unevaluatedProperties", "items", "prefixItems", "minItems",
    "maxItems", "minLength", "maxLength", "pattern", "format", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum",
  ]

  /// Keywords that shut values out in ways that are not kept to here. Any that is in neither list is a remark
  /// (`title`, `description`, `x-…`) and shuts nothing out.
  private static let unsupported: Set<String> = [
    "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies",
    "patternProperties", "propertyNames", "minProperties", "maxProperties", "contains",
    "minContains", "maxContains", "uniqueItems", "multipleOf",
    "unevaluatedItems", "additionalItems", "$dynamicRef", "$recursiveRef",
  ]

  /// Keywords that say what kind of value it is, beside a list of values.
  static let shapes: Set<String> = ["format"]

  /// - Parameter isStrict: Whether a keyword that can't be kept to is an error; else it is passed over.
  init(_ schema: JSONValue, at path: String, isStrict: Bool) throws(JSONSchemaError) {
    self.path = path
    var isWhole = false
    guard case .object(let pairs) = schema else {
      throw JSONSchemaError(path: path, problem: "must be an object, but is \(schema.kind)")
    }
    for (keyword, value) in pairs {
      if keyword == "multipleOf", case .int(1) = value {
        isWhole = true
        continue
      }
      if keyword == "unevaluatedProperties", case .object = value {
        guard isStrict else { continue }
        throw JSONSchemaError(
          .unsupported, path: path,
          problem: "the keyword '\(keyword)' is supported as true and false alone")
      }
      if isStrict, Self.unsupported.contains(keyword), !Self.isIdle(keyword, value) {
        throw JSONSchemaError(
          .unsupported, path: path, problem: "the keyword '\(keyword)' is not supported")
      }
      guard Self.known.contains(keyword) else { continue }
      if values.updateValue(value, forKey: keyword) == nil { keywords.append(keyword) }
    }
    // A multiple of 1 is a whole number.
    guard isWhole, let kinds = try types() else {
      guard !isWhole || !isStrict else {
        throw JSONSchemaError(
          .unsupported, path: path,
          problem: "the keyword 'multipleOf' is not supported without 'type'")
      }
      return
    }
    let whole = kinds.map { $0 == .number ? Kind.integer : $0 }
    values["type"] = .array(whole.map { .string($0.rawValue) })
  }

  /// Says something else, or something more.
  mutating func set(_ keyword: String, _ value: JSONValue) {
    if values.updateValue(value, forKey: keyword) == nil { keywords.append(keyword) }
  }

  /// Whether a keyword that is not supported shuts nothing out here.
  private static func isIdle(_ keyword: String, _ value: JSONValue) -> Bool {
    switch (keyword, value) {
    case ("uniqueItems", .bool(false)), ("unevaluatedItems", .bool(true)): true
    case ("minProperties", .int(0)), ("minContains", .int(0)): true
    case ("additionalItems", .bool(true)): true
    case ("propertyNames", .object(let pairs)): pairs.isEmpty
    default: false
    }
  }

  private init(path: String, values: [String: JSONValue], keywords: [String]) {
    self.path = path
    self.values = values
    self.keywords = keywords
  }

  /// The keywords that shut values out, without some.
  func assertions(except names: Set<String>) -> SchemaObject {
    SchemaObject(
      path: path, values: values.filter { !names.contains($0.key) },
      keywords: keywords.filter { !names.contains($0) })
  }

  var isEmpty: Bool { keywords.isEmpty }

  var json: JSONValue {
    .object(keywords.compactMap { keyword in values[keyword].map { (key: keyword, value: $0) } })
  }

  var isNullable: Bool { values["nullable"] == .bool(true) }

  /// Whether null is among its values, as far as `type` and `nullable` say.
  var allowsNull: Bool {
    guard let kinds = try? types() else { return true }
    return isNullable || kinds.contains(.null)
  }

  /// The types that `type` names; nil where there is no such keyword.
  func types() throws(JSONSchemaError) -> [Kind]? {
    guard let value = values["type"] else { return nil }
    var names: [JSONValue] = [value]
    if case .array(let list) = value { names = list }
    var kinds: [Kind] = []
    for name in names {
      guard case .string(let text) = name, let kind = Kind(rawValue: text) else {
        throw JSONSchemaError(
          path: path + "/type",
          problem: "must be of \(Kind.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      if !kinds.contains(kind) { kinds.append(kind) }
    }
    guard !kinds.isEmpty else { throw JSONSchemaError(path: path + "/type", problem: "is empty") }
    return kinds
  }

  /// The type that the other keywords are about, where there is no `type`.
  var impliedType: Kind? {
    func has(_ names: String...) -> Bool { names.contains { values[$0] != nil } }
    if has("properties", "required", "additionalProperties", "unevaluatedProperties") {
      return .object
    }
    if has("items", "prefixItems", "minItems", "maxItems") { return .array }
    if has("minLength", "maxLength", "pattern") { return .string }
    if has("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") { return .number }
    return nil
  }

  /// A count; nil where there is none.
  func count(_ keyword: String, atMost limit: Int) throws(JSONSchemaError) -> Int? {
    guard let value = values[keyword] else { return nil }
    var number = value
    // 2.0 is a whole number.
    if case .double(let double) = value, let whole = Int(exactly: double) { number = .int(whole) }
    guard case .int(let count) = number, count >= 0 else {
      throw JSONSchemaError(path: "\(path)/\(keyword)", problem: "must be a whole number from 0 up")
    }
    guard count <= limit else {
      throw JSONSchemaError(
        .unsupported, path: "\(path)/\(keyword)", problem: "must be at most \(limit)")
    }
    return count
  }
}
