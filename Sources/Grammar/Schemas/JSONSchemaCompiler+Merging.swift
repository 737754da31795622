import JSON

extension JSONSchemaCompiler {
  /// A schema that takes what two take, as far as that can be said with the keywords of one. `false` where that is
  /// nothing.
  func merged(
    _ a: JSONValue, _ b: JSONValue, at path: String
  ) throws(JSONSchemaError) -> JSONValue {
    for (one, other) in [(a, b), (b, a)] {
      switch one {
      case .bool(true): return other
      case .bool(false): return one
      default: break
      }
    }
    var first = try keywords(of: a, at: path)
    var second = try keywords(of: b, at: path)
    try spend(128 * (1 + first.keywords.count + second.keywords.count), at: path)
    // Before either is changed: null has to be allowed by both.
    let allowsNull = first.allowsNull && second.allowsNull
    try apply(&first, to: &second, at: path)
    try mergeItems(&first, &second, at: path)
    var pairs: [(key: String, value: JSONValue)] = []
    for keyword in first.keywords {
      guard let value = first.values[keyword] else { continue }
      if keyword == "nullable" {
        if allowsNull { pairs.append((keyword, value)) }
        continue
      }
      guard let other = second.values[keyword] else {
        pairs.append((keyword, value))
        continue
      }
      try spend(16 * value.partCount, at: path)
      guard other != value else {
        pairs.append((keyword, value))
        continue
      }
      guard let both = try merged(keyword, value, other, first, second, at: path) else {
        return .bool(false)
      }
      pairs.append((keyword, both))
    }
    for keyword in second.keywords where first.values[keyword] == nil {
      if keyword == "nullable", !allowsNull { continue }
      if let value = second.values[keyword] { pairs.append((keyword, value)) }
    }
    return .object(pairs)
  }

  /// What two schemas say with one keyword; nil where nothing is left.
  private func merged(
    _ keyword: String, _ a: JSONValue, _ b: JSONValue, _ first: SchemaObject,
    _ second: SchemaObject, at path: String
  ) throws(JSONSchemaError) -> JSONValue? {
    switch (keyword, a, b) {
    case ("properties", .object(var properties), .object(let others)):
      try spend(64 * (properties.count + others.count), at: path)
      var places = Self.places(properties)
      for (key, value) in others {
        guard let index = places[Array(key.utf8)] else {
          places[Array(key.utf8)] = properties.count
          properties.append((key, value))
          continue
        }
        properties[index].value = try both(
          properties[index].value, value, at: "\(path)/properties/\(Self.pointer(key))")
      }
      return .object(properties)
    case ("allOf", .array(let parts), .array(let others)):
      return .array(try unique(parts + others, at: path))
    case ("required", .array(let names), .array(let others)):
      return .array(try unique(names + others, at: path))
    case ("enum", .array(let values), .array(let others)):
      try spend(64 * (values.count + others.count), at: path)
      let known = Set(others.map(\.identity))
      let both = values.filter { known.contains($0.identity) }
      return both.isEmpty ? nil : .array(both)
    case ("const", _, _): return a.identity == b.identity ? a : nil
    case ("additionalProperties", _, _), ("items", _, _):
      return try both(a, b, at: "\(path)/\(keyword)")
    case ("unevaluatedProperties", .bool(let a), .bool(let b)): return .bool(a && b)
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
      return both.isEmpty ? nil : .array(both.map { .string($0.rawValue) })
    case ("minimum", _, _), ("exclusiveMinimum", _, _), ("minLength", _, _), ("minItems", _, _):
      return (a.number ?? 0) > (b.number ?? 0) ? a : b
    case ("maximum", _, _), ("exclusiveMaximum", _, _), ("maxLength", _, _), ("maxItems", _, _):
      return (a.number ?? 0) < (b.number ?? 0) ? a : b
    default:
      throw JSONSchemaError(
        .unsupported, path: path, problem: "'\(keyword)' in two schemas at once is not supported")
    }
  }

  /// A schema for what two ask of one part of a value. It is worked out where it is used, since it may hold itself.
  private func both(
    _ a: JSONValue, _ b: JSONValue, at path: String
  ) throws(JSONSchemaError) -> JSONValue {
    if a == b || b == .bool(true) { return a }
    if a == .bool(true) { return b }
    if a == .bool(false) || b == .bool(false) { return .bool(false) }
    func parts(_ schema: JSONValue) -> [JSONValue] {
      if case .object(let pairs) = schema, pairs.count == 1, pairs[0].key == "allOf",
        case .array(let parts) = pairs[0].value
      {
        return parts
      }
      return [schema]
    }
    return .object([("allOf", .array(try unique(parts(a) + parts(b), at: path)))])
  }

  /// Each of equal values once. What refers to itself in circles so comes to an end.
  private func unique(
    _ values: [JSONValue], at path: String
  ) throws(JSONSchemaError) -> [JSONValue] {
    var seen: Set<[UInt8]> = []
    var unique: [JSONValue] = []
    for value in values {
      let identity = value.identity
      try spend(identity.count, at: path)
      if seen.insert(identity).inserted { unique.append(value) }
    }
    return unique
  }

  private static func places(_ properties: [(key: String, value: JSONValue)]) -> [[UInt8]: Int] {
    Dictionary(
      properties.enumerated().map { (Array($0.element.key.utf8), $0.offset) },
      uniquingKeysWith: { first, _ in first })
  }

  /// What one schema says of properties that it doesn't name holds for those that the other names.
  private func apply(
    _ first: inout SchemaObject, to second: inout SchemaObject, at path: String
  ) throws(JSONSchemaError) {
    let own = try restricted(second, by: first, at: path)
    let others = try restricted(first, by: second, at: path)
    if let own { second.set("properties", own) }
    if let others { first.set("properties", others) }
  }

  /// A schema's properties under the other's `additionalProperties`; nil where that changes nothing.
  private func restricted(
    _ schema: SchemaObject, by other: SchemaObject, at path: String
  ) throws(JSONSchemaError) -> JSONValue? {
    guard let rule = other.values["additionalProperties"], rule != .bool(true),
      case .object(let properties)? = schema.values["properties"]
    else { return nil }
    try spend(64 * properties.count, at: path)
    var named: [[UInt8]: Int] = [:]
    if case .object(let others)? = other.values["properties"] { named = Self.places(others) }
    var kept: [(key: String, value: JSONValue)] = []
    for (key, value) in properties {
      guard named[Array(key.utf8)] == nil else {
        kept.append((key, value))
        continue
      }
      kept.append(
        (
          key,
          try both(value, rule, at: "\(path)/properties/\(Self.pointer(key))")
        ))
    }
    return .object(kept)
  }

  /// Where a list's first items have schemas of their own, what the other says of items holds for each of them.
  private func mergeItems(
    _ first: inout SchemaObject, _ second: inout SchemaObject, at path: String
  ) throws(JSONSchemaError) {
    func prefix(_ schema: SchemaObject) throws(JSONSchemaError) -> [JSONValue]? {
      guard let value = schema.values["prefixItems"] else { return nil }
      guard case .array(let items) = value else {
        throw JSONSchemaError(path: path + "/prefixItems", problem: "must be a list of schemas")
      }
      return items
    }
    let a = try prefix(first)
    let b = try prefix(second)
    guard a != nil || b != nil else { return }
    let count = max(a?.count ?? 0, b?.count ?? 0)
    try spend(64 * count, at: path)
    var items: [JSONValue] = []
    for index in 0..<count {
      // Without a word about what comes behind the first items, there may be anything.
      func item(_ items: [JSONValue]?, _ schema: SchemaObject) -> JSONValue {
        guard let items, index < items.count else { return schema.values["items"] ?? .bool(true) }
        return items[index]
      }
      let both = try self.both(
        item(a, first), item(b, second), at: "\(path)/prefixItems/\(index)")
      // There can be no such item: the list ends before it.
      if both == .bool(false) {
        first.set("items", .bool(false))
        second.set("items", .bool(false))
        break
      }
      items.append(both)
    }
    first.set("prefixItems", .array(items))
    second.set("prefixItems", .array(items))
  }
}

extension JSONValue {
  /// Values that it has, itself among them.
  fileprivate var partCount: Int {
    switch self {
    case .array(let items): items.reduce(1) { $0 + $1.partCount }
    case .object(let pairs): pairs.reduce(1) { $0 + $1.value.partCount }
    default: 1
    }
  }

  /// What equal values have alike, and no others: the same bytes. 1 and 1.0 are one number, and an object's members
  /// have no order.
  var identity: [UInt8] {
    switch self {
    case .double(let number) where number == number.rounded() && number.magnitude < 1e15:
      JSONValue.int(Int(number)).json
    case .array(let items):
      Array("[".utf8) + items.map(\.identity).joined(separator: [0x2C]) + Array("]".utf8)
    case .object(let pairs):
      Array("{".utf8)
        + pairs.map { JSONValue.string($0.key).json + [0x3A] + $0.value.identity }
        .sorted { $0.lexicographicallyPrecedes($1) }.joined(separator: [0x2C])
        + Array("}".utf8)
    default: json
    }
  }

  fileprivate var number: Double? {
    switch self {
    case .int(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }
}
