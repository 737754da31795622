import Grammar
import JSON
import Testing

@Suite struct ToolCallTests {
  private static func functions(strict: Bool = false) throws -> [ToolFunction] {
    [
      ToolFunction(
        name: "weather",
        parameters: try schema(
          ##"{"type": "object", "properties": {"city": {"type": "string"}, "days": {"$ref": "#/$defs/days"}}, "required": ["city"], "$defs": {"days": {"type": "integer", "maximum": 7}}}"##
        ),
        isStrict: strict),
      // Of the same names inside, meant otherwise.
      ToolFunction(
        name: "days",
        parameters: try schema(
          ##"{"type": "object", "properties": {"in": {"$ref": "#/$defs/days"}}, "required": ["in"], "$defs": {"days": {"enum": ["May", "June"]}}}"##
        ),
        isStrict: strict),
      ToolFunction(name: "now", parameters: nil, isStrict: strict),
    ]
  }

  private func grammar(
    _ style: ToolCallStyle = .tagged, mustCall: Bool = false, several: Bool = true,
    text: Grammar? = nil
  ) throws -> Grammar {
    let objects = try Grammar.toolCallObjects(
      of: Self.functions(), argumentsKey: style.argumentsKey)
    return try Grammar.toolCalls(
      objects, style: style, mustCall: mustCall, allowsSeveral: several, text: text)
  }

  private static let call =
    "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Porto\", \"days\": 3}}\n</tool_call>"
  private static let now = "<tool_call>{\"name\":\"now\",\"arguments\":{}}</tool_call>"

  private static let answers: [(String, Bool)] = {
    let days = "<tool_call>{\"name\": \"days\", \"arguments\": {\"in\": MONTH}}</tool_call>"
    let whole: [String] = [
      "", "Any text, with < and <tool and é.", "<tool_cal", "<<tool_cal>", call,
      "Let me see.\n\n" + call, call + "\n" + now, now + now + now, "<tool_ca" + now,
      days.replacing("MONTH", with: "\"May\""),
    ]
    let others: [String] = [
      "<tool_call>", call + " and more", "<tool_call>{\"name\": \"rain\", ",
      call.replacing("Porto\"", with: "Porto\", \"x\": 1"), call.replacing("3", with: "8"),
      call.replacing("\"city\": \"Porto\", ", with: ""), String(call.dropLast()),
      now.replacing("{}", with: "{\"a\": 1}"), days.replacing("MONTH", with: "3"),
    ]
    return whole.map { ($0, true) } + others.map { ($0, false) }
  }()

  @Test(arguments: answers)
  func textsAndCalls(text: String, isWhole: Bool) throws {
    let grammar = try grammar()
    #expect(try (read(text, grammar) == .whole) == isWhole)
  }

  @Test func bytesThatAreNoUTF8AreText() throws {
    #expect(try read([0xFF, 0xC3, 0x80, 0x00], grammar()) == .whole)
  }

  @Test func mustCall() throws {
    let grammar = try grammar(mustCall: true)
    #expect(try read("", grammar) == .beginning)
    #expect(try read("I", grammar) == .none)
    #expect(try read(Self.call, grammar) == .whole)
    #expect(try read(Self.call + Self.call, grammar) == .whole)
    let once = try self.grammar(mustCall: true, several: false)
    #expect(try read(Self.call, once) == .whole)
    #expect(try read(Self.call + "<", once) == .none)
  }

  @Test func textOfAFormat() throws {
    let number = try Grammar.json(schema: schema(#"{"type": "integer"}"#))
    let grammar = try grammar(text: number)
    for text in ["12", Self.now] { #expect(try read(text, grammar) == .whole) }
    for text in ["twelve", "12" + Self.now] { #expect(try read(text, grammar) == .none) }
  }

  @Test func bareObjects() throws {
    let grammar = try grammar(.bare)
    for text in ["", "Well.", "a {\"name\"", #"{"name": "now", "parameters": {}}"#] {
      #expect(try read(text, grammar) == .whole, "\(text)")
    }
    for text in [#"{"other"#, #"{"name": "now", "parameters": {}} "#] {
      #expect(try read(text, grammar) == .none, "\(text)")
    }
  }

  /// What can't be kept to is any object, or an error where it was to be kept to strictly.
  @Test func schemasBeyondReach() throws {
    func grammar(strict: Bool) throws -> Grammar {
      let objects = try Grammar.toolCallObjects(
        of: [
          ToolFunction(
            name: "f", parameters: schema(#"{"type": "object", "minProperties": 1}"#),
            isStrict: strict)
        ], argumentsKey: "arguments")
      return try Grammar.toolCalls(
        objects, style: .tagged, mustCall: true, allowsSeveral: false, text: nil)
    }
    #expect(
      try read(
        #"<tool_call>{"name": "f", "arguments": {"a": [1]}}</tool_call>"#, grammar(strict: false))
        == .whole)
    let error = #expect(throws: JSONSchemaError.self) { try grammar(strict: true) }
    #expect(error?.path == "function 'f' #")
  }

  /// Functions that fit each by itself and not all together: those that don't are any object.
  @Test func schemasThatAreTooMuchTogether() throws {
    let long = try schema(
      #"{"type": "object", "properties": {"text": {"type": "string", "maxLength": 20000}}}"#)
    func objects(strict: Bool) throws -> Grammar {
      try Grammar.toolCallObjects(
        of: ["e", "f", "g", "h"].map {
          ToolFunction(name: $0, parameters: long, isStrict: strict)
        }, argumentsKey: "arguments")
    }
    let grammar = try objects(strict: false)
    #expect(try read(#"{"name": "e", "arguments": {"text": "x"}}"#, grammar) == .whole)
    #expect(try read(#"{"name": "e", "arguments": {"other": 1}}"#, grammar) == .none)
    #expect(try read(#"{"name": "h", "arguments": {"other": 1}}"#, grammar) == .whole)
    #expect(throws: JSONSchemaError.self) { try objects(strict: true) }
  }
}
