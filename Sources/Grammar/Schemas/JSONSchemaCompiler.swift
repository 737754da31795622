import Foundation
import JSON

/// Makes a grammar of a JSON schema: every text of it is valid by the schema, but for `oneOf`, of which it
/// keeps what `anyOf` says, and for upper bounds of length that no answer comes to (``longestString``,
/// ``longestArray``).
///
/// The other way round there are limits, which keep small models on the way: properties come in the schema's
/// order, an object with properties has no others unless `additionalProperties` says so, white space is as
/// `json.dumps` writes it, numbers have as many digits as a double. A keyword that can't be kept to is an error,
/// and passed over only for who asks for that (``isStrict``).
struct JSONSchemaCompiler {
  private let root: JSONValue
  /// Before the names of this schema's rules, where a grammar has several schemas.
  private let prefix: String
  /// Whether what can't be kept to is an error; else the rest is kept to, where it can be told from it.
  let isStrict: Bool
  private let budget: SchemaBudget
  /// Rules that were called and have still to be written: each on its own, so that schemas that refer to each
  /// other in long chains, or to themselves, take no stack.
  private var pending: [(rule: Grammar.Rule, schema: JSONValue, path: String)] = []

  init(
    _ root: JSONValue, prefix: String = "", isStrict: Bool = true,
    budget: SchemaBudget = SchemaBudget()
  ) {
    self.root = root
    self.prefix = prefix
    self.isStrict = isStrict
    self.budget = budget
  }

  typealias State = Grammar.State

  func spend(_ bytes: Int, at path: String) throws(JSONSchemaError) {
    budget.left -= bytes
    guard budget.left >= 0 else {
      throw JSONSchemaError(
        .unsupported, path: path, problem: "the schema means too much to be worked out")
    }
  }

  /// A schema's keywords; all of them have to be looked at.
  func keywords(of schema: JSONValue, at path: String) throws(JSONSchemaError) -> SchemaObject {
    if case .object(let pairs) = schema { try spend(16 * pairs.count, at: path) }
    return try SchemaObject(schema, at: path, isStrict: isStrict)
  }

  /// Larger ones would take long to look through.
  static func checkSize(_ schema: JSONValue) throws(JSONSchemaError) {
    guard schema.json.count <= Grammar.maximumSchemaBytes else {
      throw JSONSchemaError(
        .unsupported, path: "#", problem: "has more than \(Grammar.maximumSchemaBytes) bytes")
    }
  }

  /// A text that the schema takes.
  mutating func text(from state: State, in builder: inout GrammarBuilder) throws -> State {
    let end = try value(root, at: "#", from: state, in: &builder)
    while let next = pending.popLast() {
      try builder.define(next.rule) { builder, start in
        try value(next.schema, at: next.path, from: start, in: &builder)
      }
    }
    return end
  }

  // MARK: - Any schema

  mutating func value(
    _ schema: JSONValue, at path: String, from state: State, in builder: inout GrammarBuilder
  ) throws -> State {
    try spend(Self.perSchema, at: path)
    switch schema {
    case .bool(true): return try builder.anyValue(from: state)
    case .bool(false): throw JSONSchemaError(path: path, problem: "takes no value")
    case .object: break
    default: throw JSONSchemaError(path: path, problem: "must be an object, but is \(schema.kind)")
    }
    let schema = try keywords(of: schema, at: path)
    // OpenAPI's way to say that a reference, or one of several, may be null as well: `nullable` beside it.
    if schema.isNullable,
      ["$ref", "allOf", "anyOf", "oneOf"].contains(where: { schema.values[$0] != nil })
    {
      let other = schema.assertions(except: ["nullable"]).json
      let start = try builder.newState()
      builder.jump(from: state, to: start)
      let end = try value(other, at: path, from: start, in: &builder)
      builder.jump(from: try builder.literal("null", from: state), to: end)
      return end
    }
    if let reference = schema.values["$ref"] {
      let rest = schema.assertions(except: ["$ref"])
      if rest.isEmpty { return try call(reference, at: path, from: state, in: &builder) }
      let target = try follow(reference, at: path)
      return try call(
        merged: try merged(target.schema, rest.json, at: path), at: path, from: state, in: &builder)
    }
    if let parts = schema.values["allOf"] {
      guard case .array(let parts) = parts, !parts.isEmpty else {
        throw JSONSchemaError(path: path + "/allOf", problem: "must be a list of schemas")
      }
      let rest = schema.assertions(except: ["allOf"])
      // One alone, as an annotation's carrier: its rule can be shared.
      if rest.isEmpty, parts.count == 1 {
        return try value(parts[0], at: path + "/allOf/0", from: state, in: &builder)
      }
      var whole = rest.json
      for (index, part) in parts.enumerated() {
        let place = "\(path)/allOf/\(index)"
        whole = try merged(whole, try resolved(part, at: place), at: place)
      }
      return try call(merged: whole, at: path, from: state, in: &builder)
    }
    for keyword in ["anyOf", "oneOf"] {
      guard let parts = schema.values[keyword] else { continue }
      return try anyOf(parts, keyword, of: schema, at: path, from: state, in: &builder)
    }
    if let value = schema.values["const"] {
      return try constants([value], of: schema, at: path + "/const", from: state, in: &builder)
    }
    if let values = schema.values["enum"] {
      guard case .array(let values) = values, !values.isEmpty else {
        throw JSONSchemaError(path: path + "/enum", problem: "must be a list of values")
      }
      return try constants(values, of: schema, at: path + "/enum", from: state, in: &builder)
    }
    return try typed(schema, at: path, from: state, in: &builder)
  }

  private mutating func anyOf(
    _ parts: JSONValue, _ keyword: String, of schema: SchemaObject, at path: String,
    from state: State, in builder: inout GrammarBuilder
  ) throws -> State {
    guard case .array(let parts) = parts, !parts.isEmpty else {
      throw JSONSchemaError(path: "\(path)/\(keyword)", problem: "must be a list of schemas")
    }
    let rest = schema.assertions(except: [keyword])
    let end = try builder.newState()
    var isEmpty = true
    for (index, part) in parts.enumerated() {
      let place = "\(path)/\(keyword)/\(index)"
      var part = part
      if !rest.isEmpty { part = try merged(rest.json, try resolved(part, at: place), at: place) }
      // One that takes nothing beside the rest is no alternative.
      if part == .bool(false) { continue }
      isEmpty = false
      // Its own beginning, so that nothing one alternative comes back to is another's.
      let start = try builder.newState()
      builder.jump(from: state, to: start)
      let reached =
        rest.isEmpty
        ? try value(part, at: place, from: start, in: &builder)
        : try call(merged: part, at: place, from: start, in: &builder)
      builder.jump(from: reached, to: end)
    }
    guard !isEmpty else {
      throw JSONSchemaError(path: "\(path)/\(keyword)", problem: "has no schema that takes a value")
    }
    return end
  }

  /// Those of some values that the schema's other keywords allow.
  private func constants(
    _ values: [JSONValue], of schema: SchemaObject, at path: String, from state: State,
    in builder: inout GrammarBuilder
  ) throws -> State {
    var values = values
    if let types = try schema.types() {
      values.removeAll { value in !types.contains { $0.has(value) } }
    }
    if schema.isNullable { values.append(.null) }
    if let constant = schema.values["const"], schema.values["enum"] != nil {
      guard case .array(let listed) = schema.values["enum"],
        listed.contains(where: { $0.identity == constant.identity })
      else {
        throw JSONSchemaError(path: path, problem: "is none of those in 'enum'")
      }
    }
    let others = schema.assertions(except: ["const", "enum", "type", "nullable"])
    if isStrict, let other = others.keywords.first(where: { !SchemaObject.shapes.contains($0) }) {
      throw JSONSchemaError(.unsupported, path: path, problem: "beside '\(other)' is not supported")
    }
    guard !values.isEmpty else {
      throw JSONSchemaError(path: path, problem: "has no value of the type")
    }
    // Lists and objects can have white space inside; the rest has one spelling.
    func hasParts(_ value: JSONValue) -> Bool {
      switch value {
      case .array, .object: true
      default: false
      }
    }
    let compound = values.filter(hasParts)
    let single = values.filter { !hasParts($0) }.map(\.json)
    return try builder.choice(
      from: state,
      [{ try $0.literals(single, from: $1) }]
        + compound.map { value in { try $0.constant(value, from: $1) } })
  }

  private mutating func typed(
    _ schema: SchemaObject, at path: String, from state: State, in builder: inout GrammarBuilder
  ) throws -> State {
    guard var types = try schema.types() ?? schema.impliedType.map({ [$0] }) else {
      return try builder.anyValue(from: state)
    }
    if schema.isNullable, !types.contains(.null) { types.append(.null) }
    // A whole number is a number.
    if types.contains(.number) { types.removeAll { $0 == .integer } }
    let end = try builder.newState()
    for type in types {
      let start = try builder.newState()
      builder.jump(from: state, to: start)
      let reached =
        switch type {
        case .null: try builder.literal("null", from: start)
        case .boolean:
          try builder.choice(
            from: start,
            [{ try $0.literal("true", from: $1) }, { try $0.literal("false", from: $1) }])
        case .string: try string(schema, at: path, from: start, in: &builder)
        case .integer, .number:
          try number(schema, isInteger: type == .integer, at: path, from: start, in: &builder)
        case .array: try array(schema, at: path, from: start, in: &builder)
        case .object: try object(schema, at: path, from: start, in: &builder)
        }
      builder.jump(from: reached, to: end)
    }
    return end
  }

  // MARK: - Rules and references

  /// What any schema costs, however small.
  private static let perSchema = 64

  /// The rule of a schema, so that it is written once and called from several places.
  ///
  /// It has the name of what it says: references are whole paths, so that a schema means the same wherever it stands,
  /// and one that comes back to itself through others comes back to its rule.
  mutating func rule(
    _ schema: JSONValue, at path: String, in builder: inout GrammarBuilder
  ) throws -> Grammar.Rule {
    let json = schema.json
    try spend(json.count, at: path)
    let (rule, isNew) = try builder.declare(prefix + "= " + String(decoding: json, as: UTF8.self))
    if isNew { pending.append((rule, schema, path)) }
    return rule
  }

  /// What became of several schemas: always by its rule, for it may hold itself.
  private mutating func call(
    merged schema: JSONValue, at path: String, from state: State, in builder: inout GrammarBuilder
  ) throws -> State {
    guard schema != .bool(false) else {
      throw JSONSchemaError(
        path: path, problem: "takes no value beside the schemas that it refers to")
    }
    return try builder.call(try rule(schema, at: path, in: &builder), from: state)
  }

  private mutating func call(
    _ reference: JSONValue, at path: String, from state: State, in builder: inout GrammarBuilder
  ) throws -> State {
    let target = try find(reference, at: path)
    let (rule, isNew) = try builder.declare(prefix + target.path)
    if isNew { pending.append((rule, target.schema, target.path)) }
    return try builder.call(rule, from: state)
  }

  /// What a reference leads to, through others.
  private func follow(
    _ reference: JSONValue, at path: String
  ) throws(JSONSchemaError) -> (schema: JSONValue, path: String) {
    var target = try find(reference, at: path)
    for _ in 0..<64 {
      guard let next = target.schema["$ref"] else { return target }
      let schema = try keywords(of: target.schema, at: target.path)
      let rest = schema.assertions(except: ["$ref"])
      let found = try find(next, at: target.path)
      target =
        rest.isEmpty
        ? found : (try merged(found.schema, rest.json, at: target.path), found.path)
    }
    throw JSONSchemaError(path: path, problem: "its references lead in a circle")
  }

  private func resolved(_ schema: JSONValue, at path: String) throws(JSONSchemaError) -> JSONValue {
    guard let reference = schema["$ref"] else { return schema }
    let rest = try keywords(of: schema, at: path).assertions(except: ["$ref"])
    let target = try follow(reference, at: path).schema
    return rest.isEmpty ? target : try merged(target, rest.json, at: path)
  }

  private func find(
    _ reference: JSONValue, at path: String
  ) throws(JSONSchemaError) -> (schema: JSONValue, path: String) {
    guard case .string(let pointer) = reference, pointer == "#" || pointer.hasPrefix("#/") else {
      throw JSONSchemaError(
        .unsupported, path: path + "/$ref",
        problem: "must point into the schema itself ('#/$defs/...')")
    }
    var found = root
    for step in pointer.split(separator: "/").dropFirst() {
      if case .object(let pairs) = found { try spend(16 * pairs.count, at: path) }
      let name = (String(step).removingPercentEncoding ?? String(step))
        .replacing("~1", with: "/").replacing("~0", with: "~")
      var next = found[name]
      if case .array(let items) = found, let index = Int(name), items.indices.contains(index) {
        next = items[index]
      }
      guard let next else {
        throw JSONSchemaError(
          path: path + "/$ref", problem: "leads to '\(pointer.prefix(100))', which is not there")
      }
      found = next
    }
    return (found, pointer)
  }
}
