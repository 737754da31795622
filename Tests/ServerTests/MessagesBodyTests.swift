import Generation
import Server
import Testing
import Tokenization

/// The body of Anthropic's messages.
@Suite struct MessagesBodyTests {
  private static let hi = #""messages": [{"role": "user", "content": "Hi"}]"#

  private func messages(_ list: String, _ fields: String = "") throws -> [ChatMessage] {
    try decode(MessagesBody.self, #"{"messages": \#(list)\#(fields)}"#).messages
  }

  @Test func everythingThatThereIs() throws {
    let body = try decode(
      MessagesAnswerBody.self,
      #"""
      {"model": "a", "max_tokens": 7, \#(Self.hi), "system": "S", "stream": true,
       "stop_sequences": ["x", "y"], "temperature": 0.5, "top_p": 0.25, "top_k": 3,
       "metadata": {"user_id": "u"}, "service_tier": "auto", "container": null, "mcp_servers": [],
       "thinking": {"type": "enabled", "budget_tokens": 1024}, "context_management": {"edits": []},
       "thalamus": {"flags": {"cost": 2}, "constraints": {"local_only": true}, "strategy": "pilot"}}
      """#)
    let request = body.request
    #expect(body.maxTokens == 7 && request.model == "a" && request.streams)
    #expect(request.messages.map(\.role) == ["system", "user"])
    #expect(request.fields.stop?.texts == ["x", "y"])
    #expect(request.fields.temperature == 0.5 && request.fields.topP == 0.25)
    #expect(request.fields.topK == 3)
    #expect(request.routing.weights[.cost] == 2 && request.routing.strategy == "pilot")
    #expect(request.routing.constraints.localOnly == true)
    #expect(request.tools == nil && request.fields.format == nil)
    #expect(try decode(MessagesBody.self, "{\(Self.hi)}").model == "auto")
  }

  /// One role after another is one message, and a text in blocks is a text.
  @Test func turns() throws {
    let found = try messages(
      #"""
      [{"role": "user", "content": "a"},
       {"role": "user", "content": [{"type": "text", "text": "b", "cache_control": {}}, {"type": "text", "text": ""}]},
       {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"},
                                         {"type": "redacted_thinking", "data": "d"},
                                         {"type": "text", "text": "c "}, {"type": "text", "text": "d"}]},
       {"role": "system", "content": "now"},
       {"role": "user", "content": "e"}, {"role": "assistant", "content": ""}]
      """#,
      #", "system": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]"#)
    #expect(
      found == [
        ChatMessage(role: "system", content: "one\n\ntwo"),
        ChatMessage(role: "user", content: "a\n\nb"),
        ChatMessage(role: "assistant", content: "c d", reasoning: "t"),
        ChatMessage(role: "system", content: "now"), ChatMessage(role: "user", content: "e"),
      ])
  }

  @Test func images() throws {
    let png = "iVBORw0KGgo="
    let file =
      #"{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "\#(png)"}}"#
    let address = #"{"type": "image", "source": {"type": "url", "url": "https://example.com/a"}}"#
    let images = [try ChatImage(base64: png), try ChatImage(url: "https://example.com/a")]
    let found = try messages(
      #"""
      [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"},
         \#(file), {"type": "text", "text": "c"}, \#(address)]},
       {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "is_error": true,
         "content": [\#(address), {"type": "text", "text": "y"}]}]}]
      """#)
    #expect(
      found == [
        ChatMessage(
          role: "tool", parts: [.text("Error: "), .image(images[1]), .text("y")], toolCallID: "1"),
        ChatMessage(
          role: "user",
          parts: [
            .text("a"), .text("\n\nb"), .image(images[0]), .text("c"), .image(images[1]),
          ]),
      ])
    for wrong in [
      #"{"type": "image"}"#, #"{"type": "image", "source": {"type": "file", "url": "x"}}"#,
      #"{"type": "image", "source": {"type": "base64", "data": "?"}}"#,
      #"{"type": "image", "source": {"type": "url", "url": "x"}}"#,
    ] {
      #expect(throws: (any Error).self) {
        _ = try messages(#"[{"role": "user", "content": [\#(wrong)]}]"#)
      }
    }
    #expect(throws: (any Error).self) {
      _ = try messages(#"[{"role": "assistant", "content": [\#(file)]}]"#)
    }
  }

  /// What calls gave comes right behind them, each a message, before what the user says of it.
  @Test func callsAndWhatCameOfThem() throws {
    let found = try messages(
      #"""
      [{"role": "assistant", "content": [{"type": "text", "text": "See"},
          {"type": "tool_use", "id": "1", "name": "f", "input": {"z": 1, "a": [2]}},
          {"type": "tool_use", "id": "2", "name": "g", "input": {}}]},
       {"role": "user", "content": [{"type": "text", "text": "So?"},
          {"type": "tool_result", "tool_use_id": "1", "content": "x"},
          {"type": "tool_result", "tool_use_id": "2", "is_error": true,
           "content": [{"type": "text", "text": "y"}, {"type": "text", "text": "z"}]}]},
       {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "3"}]}]
      """#)
    #expect(
      found == [
        ChatMessage(
          role: "assistant", content: "See",
          toolCalls: [
            ToolCall(id: "1", name: "f", arguments: #"{"z":1,"a":[2]}"#),
            ToolCall(id: "2", name: "g", arguments: "{}"),
          ]),
        ChatMessage(role: "tool", content: "x", toolCallID: "1"),
        ChatMessage(role: "tool", content: "Error: y\n\nz", toolCallID: "2"),
        ChatMessage(role: "tool", content: "", toolCallID: "3"),
        ChatMessage(role: "user", content: "So?"),
      ])
  }

  private static let tools =
    #""tools": [{"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"z": {}, "a": {}}}, "cache_control": {}}, {"type": "custom", "name": "g", "strict": true, "input_schema": {"type": "object"}}]"#

  @Test func toolsInOpenAIsWords() throws {
    let use = try #require(try decode(MessagesBody.self, "{\(Self.hi), \(Self.tools)}").tools)
    #expect(use.choice == .auto && use.allowsSeveral == nil)
    #expect(use.tools[1].function.isStrict && !use.tools[0].function.isStrict)
    #expect(
      String(decoding: use.tools[0].requestField.json, as: UTF8.self)
        == #"{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"z":{},"a":{}}}}}"#
    )
  }

  @Test(
    arguments: [
      (#"{"type": "auto"}"#, .auto, nil), (#"{"type": "any"}"#, .required, nil),
      (#"{"type": "tool", "name": "g"}"#, .named("g"), nil), (#"{"type": "none"}"#, nil, nil),
      (#"{"type": "any", "disable_parallel_tool_use": true}"#, .required, false),
      (#"{"type": "auto", "disable_parallel_tool_use": false}"#, .auto, true),
    ] as [(String, ToolUse.Choice?, Bool?)])
  func choices(text: String, choice: ToolUse.Choice?, allowsSeveral: Bool?) throws {
    let use = try decode(
      MessagesBody.self, #"{\#(Self.hi), \#(Self.tools), "tool_choice": \#(text)}"#
    ).tools
    #expect(use?.choice == choice && use?.allowsSeveral == allowsSeveral)
  }

  @Test(arguments: [
    #""output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "integer"}}}"#,
    #""output_format": {"type": "json_schema", "schema": {"type": "integer"}}"#,
  ])
  func formats(field: String) throws {
    let format = try #require(
      try decode(MessagesBody.self, "{\(Self.hi), \(field)}").fields.format)
    #expect(
      String(decoding: format.requestField.json, as: UTF8.self).contains(
        #""schema":{"type":"integer"}"#))
  }

  /// Who asks for no thinking is shown none.
  @Test(arguments: [
    ("", ReasoningRequest.unasked, false), (#", "thinking": null"#, .unasked, false),
    (#", "thinking": {"type": "disabled"}"#, .off, false),
    (#", "thinking": {"type": "adaptive"}"#, ReasoningRequest(isEnabled: true), true),
    (
      #", "thinking": {"type": "enabled", "budget_tokens": 9}, "output_config": {"effort": "max"}"#,
      ReasoningRequest(effort: .xhigh, isEnabled: true, budgetTokens: 9), true
    ),
  ])
  func thinking(field: String, request: ReasoningRequest, shows: Bool) throws {
    let body = try decode(MessagesBody.self, "{\(Self.hi)\(field)}")
    #expect(body.fields.reasoning == request)
    #expect(body.fields.reasoning.isOff == !shows)
    #expect(body.showsThinking == shows)
  }

  @Test(
    arguments: [
      (#"\#(hi), "max_tokens": 1, "thinking": 3"#, "missing_field", "thinking.type"),
      (
        #"\#(hi), "max_tokens": 1, "thinking": {"type": "much"}"#, "unsupported_value",
        "thinking.type"
      ),
      (
        #"\#(hi), "max_tokens": 1, "thinking": {"type": "enabled", "budget_tokens": 0}"#,
        "invalid_value", "thinking.budget_tokens"
      ),
      (
        #"\#(hi), "max_tokens": 1, "output_config": {"effort": 3}"#, "invalid_type",
        "output_config.effort"
      ),
      (hi, "missing_field", "max_tokens"),
      (#"\#(hi), "max_tokens": "x""#, "invalid_type", "max_tokens"),
      (#"\#(hi), "max_tokens": 1.5"#, "invalid_value", "max_tokens"),
      (#""max_tokens": 1"#, "missing_field", "messages"),
      (#""max_tokens": 1, "messages": {}"#, "invalid_type", "messages"),
      (#""max_tokens": 1, "messages": [], "system": "S""#, "invalid_value", "messages"),
      (
        #""max_tokens": 1, "messages": [{"role": "assistant", "content": [{"type": "thinking"}]}]"#,
        "invalid_value", "messages"
      ),
      (#""max_tokens": 1, "messages": [{}]"#, "missing_field", "messages[0].role"),
      (
        #""max_tokens": 1, "messages": [{"role": "tool", "content": "x"}]"#, "invalid_value",
        "messages[0].role"
      ),
      (#""max_tokens": 1, "messages": [{"role": "user"}]"#, "missing_field", "messages[0].content"),
      (
        #""max_tokens": 1, "messages": [{"role": "user", "content": 3}]"#, "invalid_type",
        "messages[0].content"
      ),
      (#""max_tokens": 1, \#(hi), "system": 3"#, "invalid_type", "system"),
      (
        #""max_tokens": 1, \#(hi), "system": [{"type": "document"}]"#, "unsupported_value",
        "system[0].type"
      ),
      (#""max_tokens": 1, \#(hi), "mcp_servers": [{}]"#, "unsupported_parameter", "mcp_servers"),
      (#""max_tokens": 1, \#(hi), "container": "x""#, "unsupported_parameter", "container"),
      (#""max_tokens": 1, \#(hi), "local_only": true"#, "misplaced_key", "local_only"),
      (#""max_tokens": 1, \#(hi), "stop_sequences": [""]"#, "invalid_value", "stop_sequences"),
      (#""max_tokens": 1, \#(hi), "stop_sequences": "x""#, "invalid_type", "stop_sequences"),
      (
        #""max_tokens": 1, \#(hi), "output_config": {"format": {"type": "json_schema", "schema": {"not": {}}}}"#,
        "invalid_schema", "output_config.format"
      ),
      (#""max_tokens": 1, \#(hi), "output_format": 3"#, "invalid_type", "output_format"),
    ] as [(String, String, String)])
  func whatIsRefused(fields: String, code: String, param: String) {
    #expect(refusal(of: MessagesAnswerBody.self, "{\(fields)}") == Refusal(400, code, param))
  }

  @Test(
    arguments: [
      ("user", #"{"type": "document"}"#, "unsupported_value", ".type"),
      ("user", #"{"type": "document"}"#, "unsupported_value", ".type"),
      ("assistant", #"{"type": "server_tool_use"}"#, "unsupported_value", ".type"),
      ("user", "{}", "missing_field", ".type"), ("user", "3", "missing_field", ".type"),
      ("user", #"{"type": "text"}"#, "missing_field", ".text"),
      ("user", #"{"type": "tool_use"}"#, "invalid_value", ".type"),
      ("assistant", #"{"type": "tool_result"}"#, "invalid_value", ".type"),
      ("user", #"{"type": "tool_result"}"#, "missing_field", ".tool_use_id"),
      (
        "user", #"{"type": "tool_result", "tool_use_id": "1", "content": 3}"#, "invalid_type",
        ".content"
      ),
      (
        "user", #"{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "document"}]}"#,
        "unsupported_value", ".content[0].type"
      ),
      (
        "assistant", #"{"type": "tool_use", "id": "1", "name": "f", "input": "{}"}"#,
        "invalid_type", ".input"
      ),
      ("assistant", #"{"type": "tool_use", "id": "1", "input": {}}"#, "missing_field", ".name"),
    ] as [(String, String, String, String)])
  func blocksThatAreRefused(role: String, block: String, code: String, param: String) {
    let body = #"{"messages": [{"role": "\#(role)", "content": [\#(block)]}]}"#
    #expect(
      refusal(of: MessagesBody.self, body) == Refusal(400, code, "messages[0].content[0]" + param))
  }

  @Test(
    arguments: [
      (#""tools": {}"#, "invalid_type", "tools"),
      (
        #""tools": [{"type": "web_search_20250305", "name": "web_search"}]"#,
        "unsupported_parameter", "tools[0].type"
      ),
      (#""tools": [{"input_schema": {}}]"#, "missing_field", "tools[0].name"),
      (#""tools": [{"name": "f"}]"#, "missing_field", "tools[0].input_schema"),
      (#""tools": [{"name": "f", "input_schema": 3}]"#, "invalid_type", "tools[0].input_schema"),
      (#""tools": [{"name": "a b", "input_schema": {}}]"#, "invalid_value", "tools[0].name"),
      (#"\#(tools), "tool_choice": "any""#, "missing_field", "tool_choice.type"),
      (#"\#(tools), "tool_choice": {"type": "some"}"#, "invalid_value", "tool_choice.type"),
      (#"\#(tools), "tool_choice": {"type": "tool"}"#, "missing_field", "tool_choice.name"),
      (
        #"\#(tools), "tool_choice": {"type": "tool", "name": "h"}"#, "invalid_value", "tool_choice"
      ),
      (#""tool_choice": {"type": "any"}"#, "invalid_value", "tool_choice"),
      (
        #"\#(tools), "tool_choice": {"type": "auto", "disable_parallel_tool_use": 1}"#,
        "invalid_type", "tool_choice.disable_parallel_tool_use"
      ),
    ] as [(String, String, String)])
  func toolsThatAreRefused(fields: String, code: String, param: String) {
    #expect(
      refusal(of: MessagesBody.self, "{\(Self.hi), \(fields)}") == Refusal(400, code, param))
  }
}
