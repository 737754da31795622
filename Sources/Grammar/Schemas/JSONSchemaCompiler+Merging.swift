import JSON

extension JSONSchemaCompiler {
  /// A schema that takes what two take, as far as that can be said with the keywords of one.
  func merged(
    _ a: JSONValue, _ b: JSONValue, at path: String
  ) throws(JSONSchemaError) -> JSONValue {
    if case .bool(true) = a { return b }
    if case .bool(true) = b { return a }
    let first = try SchemaObject(a, at: path)
    let second = try SchemaObject(b, at: path)
    var pairs: [(key: String, value: JSONValue)] = []
    for keyword in first.keywords {
      guard let value = first.values[keyword] else { continue }
      guard let other = second.values[keyword], other != value else {
        pairs.append((keyword, value))
        continue
      }
      pairs.append((keyword, try merged(keyword, value, other, first, second, at: path)))
    }
    for keyword in second.keywords where first.values[keyword] == nil {
      if let value = second.values[keyword] { pairs.append((keyword, value)) }
    }
    return .object(pairs)
  }

  private func merged(
    _ keyword: String, _ a: JSONValue, _ b: JSONValue, _ first: SchemaObject,
    _ second: SchemaObject,
    at path: String
  ) throws(JSONSchemaError) -> JSONValue {
    switch (keyword, a, b) {
    case ("properties", .object(var properties), .object(let others)):
      for (key, value) in others {
        guard let index = properties.firstIndex(where: { $0.key == key }) else {
          properties.append((key, value))
          continue
        }
        let place = "\(path)/properties/\(Self.pointer(key))"
        properties[index].value = try merged(
          .object([("allOf", .array([properties[index].value]))]),
          .object([("allOf", .array([value]))]), at: place)
      }
      return .object(properties)
    case ("allOf", .array(let parts), .array(let others)): return .array(parts + others)
    case ("required", .array(let names), .array(let others)):
      return .array(names + others.filter { !names.contains($0) })
    case ("enum", .array(let values), .array(let others)):
      return .array(values.filter { others.contains($0) })
    case ("additionalProperties", .bool(let a), .bool(let b)): return .bool(a && b)
    case ("type", _, _):
      let kinds = try first.types() ?? []
      let others = try second.types() ?? []
      // A whole number is a number.
      let both = kinds.compactMap { kind -> SchemaObject.Kind? in
        if others.contains(kind) { return kind }
        if kind == .integer, others.contains(.number) { return .integer }
        if kind == .number, others.contains(.integer) { return .integer }
        return nil
      }
      guard !both.isEmpty else {
        throw JSONSchemaError(
          path: path + "/type", problem: "allows nothing beside the other schema's")
      }
      return .array(both.map { .string($0.rawValue) })
    case ("minimum", _, _), ("exclusiveMinimum", _, _), ("minLength", _, _), ("minItems", _, _):
      return (a.number ?? 0) > (b.number ?? 0) ? a : b
    case ("maximum", _, _), ("exclusiveMaximum", _, _), ("maxLength", _, _), ("maxItems", _, _):
      return (a.number ?? 0) < (b.number ?? 0) ? a : b
    default:
      throw JSONSchemaError(
        path: path, problem: "'\(keyword)' in two schemas at once is not supported")
    }
  }

  /// The rule of a schema, so that it is written once and called from several places.
  mutating func rule(
    _ schema: JSONValue, at path: String, in builder: inout GrammarBuilder
  ) throws -> Grammar.Rule {
    let (rule, isNew) = try builder.declare(uniqueName(path, schema))
    if isNew { postpone(rule, schema, path) }
    return rule
  }
}

extension JSONValue {
  fileprivate var number: Double? {
    switch self {
    case .int(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }
}
