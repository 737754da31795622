import Generation
import Grammar
import Server
import Testing
import Tokenization

/// Functions that an answer may ask for, in the body of a chat.
@Suite struct ToolsBodyTests {
  private static let hi = #""messages": [{"role": "user", "content": "Hi"}]"#
  private static let tools =
    #""tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"z": {}, "a": {}}}}}, {"type": "function", "function": {"name": "g", "strict": true}}]"#

  private func body(_ fields: String) throws -> ChatCompletionBody {
    try decode(ChatCompletionBody.self, "{\(fields)}")
  }

  @Test func toolsAreTaken() throws {
    let use = try #require(try body("\(Self.hi), \(Self.tools)").tools)
    #expect(use.tools.map(\.function.name) == ["f", "g"])
    #expect(use.choice == .auto && use.allowsSeveral == nil)
    #expect(use.tools[0].description == "d" && use.tools[1].function.isStrict)
    #expect(
      String(decoding: use.tools[0].requestField.json, as: UTF8.self).contains(#"{"z":{},"a":{}}"#))
    func choice(_ text: String) throws -> ToolUse? {
      try body(
        #"\#(Self.hi), \#(Self.tools), "tool_choice": \#(text), "parallel_tool_calls": false"#
      ).tools
    }
    #expect(try choice(#""required""#)?.choice == .required)
    #expect(try choice(#"{"type": "function", "function": {"name": "g"}}"#)?.choice == .named("g"))
    #expect(try choice(#""auto""#)?.allowsSeveral == false)
    #expect(try choice(#""none""#) == nil)
    #expect(try body(#"\#(Self.hi), "tools": [], "tool_choice": "auto""#).tools == nil)
    #expect(try body(#"\#(Self.hi), "tools": null"#).tools == nil)
  }

  @Test func someToolsMayBeAllowed() throws {
    for choice in [
      #"{"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]}}"#,
      #"{"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]}"#,
    ] {
      let use = try #require(
        try body(#"\#(Self.hi), \#(Self.tools), "tool_choice": \#(choice)"#).tools)
      #expect(use.tools.map(\.function.name) == ["g"] && use.choice == .required)
    }
  }

  /// Without `strict`, of a schema is kept to what can be.
  @Test func schemasThatAreNotStrict() throws {
    let fields =
      #"\#(Self.hi), "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "minProperties": 1, "properties": {"a": {"type": "array", "uniqueItems": true, "items": {"enum": ["x", "y"]}}}, "required": ["a"]}}}]"#
    let grammar = try #require(try body(fields).tools).grammar(
      .tagged, isTaught: true, text: nil)
    let table = TokenTable(Bytes())
    func takes(_ arguments: String) throws -> Bool {
      let constraint = try TokenConstraint(grammar, table)
      let text = #"<tool_call>{"name": "f", "arguments": \#(arguments)}</tool_call>"#
      for byte in text.utf8 where try !constraint.take(Int32(byte)) { return false }
      return true
    }
    #expect(try takes(#"{"a": ["x", "x"]}"#))
    #expect(try !takes("{}"))
    #expect(try !takes(#"{"a": ["z"]}"#))
  }

  private struct Bytes: Tokenizer {
    var vocabularyCount: Int { 257 }
    var beginningOfText: Int32? { nil }
    var endOfText: Int32? { 256 }
    var endTokens: Set<Int32> { [256] }
    var addsSpacePrefix: Bool { false }
    func encode(_ text: String, addSpecial: Bool, parseSpecial: Bool) -> [Int32] {
      text.utf8.map(Int32.init)
    }
    func bytes(of id: Int32) -> [UInt8] { [UInt8(truncatingIfNeeded: id)] }
    func isSpecial(_ id: Int32) -> Bool { id == 256 }
    func id(ofToken text: String) -> Int32? { nil }
  }

  @Test func callsAndWhatCameOfThem() throws {
    let messages = try body(
      #""messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}]}, {"role": "assistant", "tool_calls": [{"id": "2", "type": "function", "function": {"name": "g", "arguments": "{}"}}]}, {"role": "tool", "tool_call_id": "1", "content": "x"}]"#
    ).messages.map(\.chatMessage)
    #expect(messages.map(\.toolCalls.count) == [1, 1, 0])
    #expect(messages[0].toolCalls[0].arguments == "{\"a\": 1}" && messages[0].content.isEmpty)
    #expect(messages[2].toolCallID == "1")
  }

  @Test(arguments: [
    (#""tools": {}"#, "invalid_type", "tools"),
    (#""tools": [{}]"#, "missing_field", "tools[0].type"),
    (#""tools": [{"type": 1}]"#, "invalid_type", "tools[0].type"),
    (#""tools": [{"type": "function", "name": "f"}]"#, "missing_field", "tools[0].function.name"),
    (
      #""tools": [{"type": "function", "function": {"name": "a", "parameters": {"type": "string"}}}]"#,
      "invalid_value", "tools[0].function.parameters"
    ),
    // What is no schema, however it is meant.
    (
      #""tools": [{"type": "function", "function": {"name": "a", "parameters": {"properties": {"b": {"type": "strng"}}}}}]"#,
      "invalid_schema", "tools"
    ),
    (
      #""tools": [{"type": "function", "function": {"name": "a", "parameters": {"properties": {"b": {"pattern": "(["}}}}}]"#,
      "invalid_schema", "tools"
    ),
    (
      #"\#(tools), "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "h"}}]}}"#,
      "invalid_value", "tool_choice"
    ),
    (
      #"\#(tools), "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}"#,
      "invalid_type", "tool_choice"
    ),
    (#""tools": [{"type": "web_search"}]"#, "unsupported_parameter", "tools[0].type"),
    (#""tools": [{"type": "function"}]"#, "missing_field", "tools[0].function.name"),
    (
      #""tools": [{"type": "function", "function": {"name": "a b"}}]"#, "invalid_value",
      "tools[0].function.name"
    ),
    (
      #""tools": [{"type": "function", "function": {"name": "a", "parameters": 3}}]"#,
      "invalid_type", "tools[0].function.parameters"
    ),
    (
      #""tools": [{"type": "function", "function": {"name": "a"}}, {"type": "function", "function": {"name": "a"}}]"#,
      "invalid_value", "tools"
    ),
    (
      #""tools": [{"type": "function", "function": {"name": "a", "strict": true, "parameters": {"not": {}}}}]"#,
      "invalid_schema", "tools"
    ),
    (#""tool_choice": "required""#, "invalid_value", "tool_choice"),
    (#"\#(tools), "tool_choice": "some""#, "invalid_value", "tool_choice"),
    (
      #"\#(tools), "tool_choice": {"type": "function", "function": {"name": "h"}}"#,
      "invalid_value", "tool_choice"
    ),
    (#""functions": [{}]"#, "unsupported_parameter", "functions"),
  ])
  func whatIsNoToolIsRefused(fields: String, code: String, param: String) {
    #expect(
      refusal(of: ChatCompletionBody.self, "{\(Self.hi), \(fields)}") == Refusal(400, code, param))
  }

  @Test func onlyAssistantsCall() {
    let message =
      #"{"role": "user", "content": "x", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}"#
    #expect(refusal(of: ChatCompletionBody.self, "{\"messages\": [\(message)]}")?.status == 400)
  }
}
