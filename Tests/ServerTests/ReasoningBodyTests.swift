import Foundation
import Generation
import JSON
import Server
import Testing

/// What requests ask of a model's thinking, and what they say that it thought.
@Suite struct ReasoningBodyTests {
  private func request(_ json: String) throws -> ReasoningRequest {
    try decode(GenerationFields.self, json).parameters(defaultMaxTokens: 1, defaultTemperature: 0)
      .reasoning
  }

  @Test func everyFieldArrives() throws {
    let asked = try request(
      #"{"reasoning_effort": "low", "thinking_budget_tokens": 7, "chat_template_kwargs": {"enable_thinking": true, "x": [1, {"b": null}]}}"#
    )
    #expect(asked.effort == .low && asked.budgetTokens == 7 && !asked.isOff)
    #expect(
      asked.variables == [
        "reasoning_effort": .string("low"), "enable_thinking": .bool(true),
        "x": .array([.int(1), .object([("b", .null)])]),
      ])
    #expect(try request("{}") == ReasoningRequest())
    #expect(
      try request(
        #"{"reasoning_effort": null, "thinking_budget_tokens": -1, "chat_template_kwargs": null}"#)
        == ReasoningRequest())
    let none = try request(#"{"reasoning_effort": "none"}"#)
    #expect(none.isOff && none.variables["enable_thinking"] == .bool(false))
    #expect(try request(#"{"thinking_budget_tokens": 0}"#).isOff)
    #expect(try request(#"{"reasoning_effort": "high"}"#).variables.count == 1)
  }

  @Test(arguments: [
    (#"{"reasoning_effort": "much"}"#, "unsupported_value", "reasoning_effort"),
    (#"{"reasoning_effort": 3}"#, "invalid_type", "reasoning_effort"),
    (#"{"thinking_budget_tokens": "x"}"#, "invalid_type", "thinking_budget_tokens"),
    (#"{"chat_template_kwargs": []}"#, "invalid_type", "chat_template_kwargs"),
    (
      #"{"chat_template_kwargs": {"messages": []}}"#, "unsupported_value",
      "chat_template_kwargs.messages"
    ),
    (
      #"{"chat_template_kwargs": {"bos_token": ""}}"#, "unsupported_value",
      "chat_template_kwargs.bos_token"
    ),
  ])
  func othersAreRefused(json: String, code: String, param: String) {
    #expect(refusal(of: GenerationFields.self, json) == Refusal(400, code, param))
  }

  @Test(arguments: ["reasoning_content", "reasoning"])
  func whatWasThoughtComesBack(key: String) throws {
    func message(_ json: String) throws -> String? {
      try decode(MessageBody.self, json).chatMessage.reasoning
    }
    #expect(try message(#"{"role": "assistant", "content": "4", "\#(key)": "Hm"}"#) == "Hm")
    #expect(try message(#"{"role": "assistant", "content": "4", "\#(key)": null}"#) == nil)
    #expect(try message(#"{"role": "assistant", "content": "4", "\#(key)": ""}"#) == nil)
    #expect(try message(#"{"role": "user", "content": "4", "\#(key)": "Hm"}"#) == nil)
  }

  /// Of OpenAI's newer API, where what was thought is an item of its own.
  @Test func itemsOfResponses() throws {
    let body = try decode(
      ResponsesBody.self,
      #"""
      {"reasoning": {"effort": "minimal"}, "input": [
        {"role": "user", "content": "Hi"},
        {"type": "reasoning", "id": "rs_1", "summary": [],
         "content": [{"type": "reasoning_text", "text": "Hm"}]},
        {"role": "assistant", "content": "4"},
        {"type": "reasoning", "id": "rs_2", "summary": []},
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "So"}]},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "not an answer's"}]},
        {"role": "user", "content": "Bye"}, {"role": "assistant", "content": "Bye"}]}
      """#)
    #expect(body.fields.reasoning.effort == .minimal)
    #expect(body.messages.map(\.reasoning) == [nil, "Hm\n\nSo", nil, nil])
    #expect(
      refusal(of: ResponsesBody.self, #"{"input": "Hi", "reasoning": {"effort": "much"}}"#)
        == Refusal(400, "unsupported_value", "reasoning.effort"))
    #expect(
      refusal(of: ResponsesBody.self, #"{"input": "Hi", "reasoning": {"effort": 1}}"#)?.param
        == "reasoning.effort")
  }
}
