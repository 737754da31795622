import JSON

extension JSONSchemaCompiler {
  /// An object: its properties in the schema's order, those that may be missing present or not.
  mutating func object(
    _ schema: SchemaObject, at path: String, from state: State, in builder: inout GrammarBuilder
  ) throws -> State {
    var properties: [(key: String, value: JSONValue)] = []
    if let value = schema.values["properties"] {
      guard case .object(let pairs) = value else {
        throw JSONSchemaError(path: path + "/properties", problem: "must be an object")
      }
      properties = pairs
    }
    // By their bytes: two spellings of one letter are two names.
    var places: [[UInt8]: Int] = [:]
    for (index, property) in properties.enumerated() {
      guard places.updateValue(index, forKey: Array(property.key.utf8)) == nil else {
        throw JSONSchemaError(
          path: path + "/properties", problem: "has '\(property.key.prefix(60))' twice")
      }
    }
    let required = try required(schema, at: path)
    // Without a word about others: any where none is named, else none.
    var additional: JSONValue? =
      schema.values["additionalProperties"]
      ?? .bool(
        schema.values["properties"] == nil && schema.values["unevaluatedProperties"] != .bool(false)
      )
    if additional == .bool(false) { additional = nil }
    // Others are none that come of themselves; one that must be there is another matter.
    let mayHaveOthers =
      schema.values["additionalProperties"] == nil
      && schema.values["unevaluatedProperties"] != .bool(false)
    for name in required.names where places[Array(name.utf8)] == nil {
      guard let additional = additional ?? (mayHaveOthers ? .bool(true) : nil) else {
        throw JSONSchemaError(
          path: path + "/required", problem: "names '\(name.prefix(60))', which is no property")
      }
      properties.append((name, additional))
    }
    let names = properties.map(\.key)
    // One that can have no value can't be there.
    properties.removeAll { property in
      property.value == .bool(false) && !required.set.contains(Array(property.key.utf8))
    }
    if properties.isEmpty, additional == .bool(true) { return try builder.anyObject(from: state) }

    // Two states before each property: nothing has been written yet, and something has.
    var empty: State? = try builder.space(from: try builder.literal("{", from: state))
    var some: State?
    for (key, value) in properties {
      let before = try builder.newState()
      try begin(before, empty, some, in: &builder)
      let colon = try builder.literal(JSONValue.string(key).json + [0x3A], from: before)
      let after = try self.value(
        value, at: "\(path)/properties/\(Self.pointer(key))", from: try builder.space(from: colon),
        in: &builder)
      if required.set.contains(Array(key.utf8)) {
        empty = nil
      } else if let some {
        builder.jump(from: some, to: after)
      }
      some = after
    }
    if let additional {
      let before = try builder.newState()
      try begin(before, empty, some, in: &builder)
      let name = try builder.string(otherThan: names, from: before)
      let colon = try builder.space(from: try builder.literal(":", from: name))
      let rule = try rule(additional, at: path + "/additionalProperties", in: &builder)
      let after = try builder.call(rule, from: colon)
      if let some {
        builder.jump(from: after, to: some)
      } else {
        let comma = try builder.literal(",", from: after)
        builder.jump(from: try builder.space(from: comma), to: before)
        some = after
      }
    }
    let close = try builder.newState()
    if let empty { builder.jump(from: empty, to: close) }
    if let some { builder.jump(from: try builder.space(from: some), to: close) }
    return try builder.literal("}", from: close)
  }

  /// Leads to a member: at once where there is none yet, else behind a comma.
  private func begin(
    _ member: State, _ empty: State?, _ some: State?, in builder: inout GrammarBuilder
  ) throws {
    if let empty { builder.jump(from: empty, to: member) }
    if let some {
      builder.jump(
        from: try builder.space(from: try builder.literal(",", from: some)), to: member)
    }
  }

  private func required(
    _ schema: SchemaObject, at path: String
  ) throws(JSONSchemaError) -> (names: [String], set: Set<[UInt8]>) {
    guard let value = schema.values["required"] else { return ([], []) }
    guard case .array(let names) = value else {
      throw JSONSchemaError(path: path + "/required", problem: "must be a list of names")
    }
    var required: [String] = []
    var seen: Set<[UInt8]> = []
    for name in names {
      guard case .string(let name) = name else {
        throw JSONSchemaError(path: path + "/required", problem: "must be a list of names")
      }
      if seen.insert(Array(name.utf8)).inserted { required.append(name) }
    }
    return (required, seen)
  }

  static func pointer(_ key: String) -> String {
    key.replacing("~", with: "~0").replacing("/", with: "~1")
  }
}

extension GrammarBuilder {
  /// A string without escapes that is none of some.
  mutating func string(otherThan names: [String], from state: State) throws -> State {
    let open = try literal("\"", from: state)
    let end = try newState()
    // A tree of the names; whoever leaves it goes on with anything.
    let anything = try newState()
    let more = try scalar(Self.plainStringScalars, from: anything)
    jump(from: more, to: anything)
    bytes(0x22...0x22, from: anything, to: end)
    struct Branch {
      let names: [ArraySlice<Unicode.Scalar>]
      let state: State
    }
    let plain = names.map { ArraySlice($0.unicodeScalars) }
      .filter { $0.allSatisfy { Self.plainStringScalars.contains($0.value) } }
    var branches = [Branch(names: plain, state: open)]
    while let branch = branches.popLast() {
      if !branch.names.contains(where: \.isEmpty) {
        bytes(0x22...0x22, from: branch.state, to: end)
      }
      let groups = Dictionary(grouping: branch.names.filter { !$0.isEmpty }) {
        $0.first?.value ?? 0
      }
      let others = Self.plainStringScalars.subtracting(
        ScalarRanges(groups.keys.map { $0...$0 }))
      jump(from: try scalar(others, from: branch.state), to: anything)
      for (first, names) in groups.sorted(by: { $0.key < $1.key }) {
        let next = try scalar(ScalarRanges([first...first]), from: branch.state)
        branches.append(Branch(names: names.map { $0.dropFirst() }, state: next))
      }
    }
    return end
  }
}
