import JSON

/// How a model writes that it wants a function called.
package struct ToolCallStyle: Sendable, Equatable {
  /// Before each call; empty where an answer that is an object is a call.
  package let open: String
  /// Behind each call.
  package let close: String
  /// The member of the call's object that has the arguments; `name` has the function's name.
  package let argumentsKey: String

  /// As Hermes, Qwen and many others were taught:
  /// `<tool_call>{"name": "f", "arguments": {…}}</tool_call>`.
  package static let tagged = ToolCallStyle(
    open: "<tool_call>", close: "</tool_call>", argumentsKey: "arguments")
  /// As Llama 3 was taught: `{"name": "f", "parameters": {…}}`.
  package static let bare = ToolCallStyle(open: "", close: "", argumentsKey: "parameters")
}

/// A function of a caller's.
package struct ToolFunction: Sendable, Equatable {
  package let name: String
  /// A JSON schema of the arguments' object; nil for a function without any.
  package let parameters: JSONValue?
  /// Whether a schema that can't be kept to is an error. Else of it is kept what can be, and where that can't be
  /// told the arguments are any object.
  package let isStrict: Bool

  package init(name: String, parameters: JSONValue?, isStrict: Bool) {
    self.name = name
    self.parameters = parameters
    self.isStrict = isStrict
  }
}

extension Grammar {
  /// Objects that call one of some functions: `{"name": "f", "arguments": {…}}`.
  ///
  /// - Parameter argumentsKey: ``ToolCallStyle/argumentsKey``.
  /// - Throws: What of a strict function's schema can't be kept to, with the function's name.
  package static func toolCallObjects(
    of functions: [ToolFunction], argumentsKey: String
  ) throws(JSONSchemaError) -> Grammar {
    let budget = SchemaBudget()
    return try made { builder in
      try builder.rule("call") { builder, start in
        try builder.choice(
          from: start,
          functions.enumerated().map { index, function in
            { try $0.toolCall(function, index, key: argumentsKey, budget, from: $1) }
          })
      }
    }
  }

  /// Answers that are calls of functions, or end with some.
  ///
  /// - Parameters:
  ///   - objects: The calls' own: ``toolCallObjects(of:argumentsKey:)``.
  ///   - mustCall: Whether an answer must be a call; else it may be a text, or a text and then calls.
  ///   - allowsSeveral: Whether an answer may have more than one.
  ///   - text: What an answer without a call must be; nil for any text.
  package static func toolCalls(
    _ objects: Grammar, style: ToolCallStyle, mustCall: Bool, allowsSeveral: Bool, text: Grammar?
  ) throws(JSONSchemaError) -> Grammar {
    try made { builder in
      let call = try builder.embed(objects)
      return try builder.rule("root") { builder, start in
        let calls = try builder.newState()
        let end = try builder.newState()
        // Behind the mark of the first call.
        var behind = try builder.call(call, from: try builder.space(from: calls))
        if !style.close.isEmpty {
          behind = try builder.literal(style.close, from: try builder.space(from: behind))
        }
        builder.jump(from: behind, to: end)
        if allowsSeveral, !style.open.isEmpty {
          let next = try builder.literal(style.open, from: try builder.space(from: behind))
          builder.jump(from: next, to: calls)
        }
        if mustCall || text != nil {
          builder.jump(from: try builder.literal(style.open, from: start), to: calls)
        }
        guard !mustCall else { return end }
        if let text {
          builder.jump(from: try builder.call(try builder.embed(text), from: start), to: end)
        } else {
          try builder.anyText(until: Array(style.open.utf8), then: calls, end: end, from: start)
        }
        return end
      }
    }
  }
}

extension GrammarBuilder {
  /// The object that asks for one function.
  fileprivate mutating func toolCall(
    _ function: ToolFunction, _ index: Int, key: String, _ budget: SchemaBudget, from state: State
  ) throws -> State {
    func name(_ key: String, _ builder: inout Self, _ start: State) throws -> State {
      let colon = try builder.literal(JSONValue.string(key).json + [0x3A], from: start)
      return try builder.space(from: colon)
    }
    var current = try space(from: try literal("{", from: state))
    current = try name("name", &self, current)
    current = try literal(JSONValue.string(function.name).json, from: current)
    current = try space(from: try literal(",", from: current))
    current = try name(key, &self, current)
    let none = JSONValue.object([("type", .string("object")), ("properties", .object([]))])
    let schema = function.parameters ?? none
    // Tried apart: what was written of a schema that then proves too much must not stay.
    var attempt = self
    do {
      try JSONSchemaCompiler.checkSize(schema)
      var compiler = JSONSchemaCompiler(
        schema, prefix: "\(index) ", isStrict: function.isStrict, budget: budget)
      let end = try compiler.text(from: current, in: &attempt)
      // Room is left for the functions that follow.
      guard function.isStrict || attempt.stateCount < Self.maximumStates / 10 * 9 else {
        throw GrammarError.tooLarge(limit: Self.maximumStates)
      }
      current = end
      self = attempt
    } catch {
      let known = error as? JSONSchemaError
      // What is no schema is a mistake, however it is meant.
      guard !function.isStrict, known?.kind != .invalid else {
        throw JSONSchemaError(
          known?.kind ?? .unsupported,
          path: "function '\(function.name)' \(known?.path ?? "#")",
          problem: known?.problem ?? "\(error)")
      }
      // Of many that are too much each, only the first is tried to its end.
      if error is GrammarError { budget.left = 0 }
      current = try anyObject(from: current)
    }
    return try literal("}", from: try space(from: current))
  }

  /// Any bytes. Behind the first place where they end with a mark, it goes on elsewhere; before, they may end. Where
  /// the mark is empty, the first byte decides: an opening brace is the mark's place.
  fileprivate mutating func anyText(
    until mark: [UInt8], then marked: State, end: State, from state: State
  ) throws {
    guard !mark.isEmpty else {
      jump(from: state, to: marked)
      let text = try newState()
      let brace = UInt8(ascii: "{")
      bytes(0...brace - 1, from: state, to: text)
      bytes(brace + 1...255, from: state, to: text)
      bytes(0...255, from: text, to: text)
      jump(from: text, to: end)
      return jump(from: state, to: end)
    }
    // Knuth, Morris and Pratt's automaton: a state for each beginning of the mark that was read last.
    var states = [state]
    for _ in 1..<mark.count { states.append(try newState()) }
    states.append(marked)
    for matched in 0..<mark.count {
      jump(from: states[matched], to: end)
      var first: UInt8 = 0
      var target = Self.matched(mark, behind: matched, first)
      for byte in UInt8.min...UInt8.max {
        let next = Self.matched(mark, behind: matched, byte)
        if next != target {
          bytes(first...byte - 1, from: states[matched], to: states[target])
          (first, target) = (byte, next)
        }
      }
      bytes(first...UInt8.max, from: states[matched], to: states[target])
    }
  }

  /// How much of the mark has been read, after a byte behind so much of it.
  private static func matched(_ mark: [UInt8], behind count: Int, _ byte: UInt8) -> Int {
    let read = mark.prefix(count) + [byte]
    for length in stride(from: min(read.count, mark.count), through: 1, by: -1)
    where read.suffix(length).elementsEqual(mark.prefix(length)) {
      return length
    }
    return 0
  }
}
