import Foundation
import Server
import Testing
import Tokenization

/// Messages of a body that lacks nothing else.
private let hi = #""messages": [{"role": "user", "content": "Hi"}]"#

/// The bodies of the OpenAI-compatible routes.
@Suite struct OpenAIBodyTests {
  @Test func chat() throws {
    let body = try decode(
      ChatCompletionBody.self,
      """
      {"model": "auto", "stream": true, "stream_options": {"include_usage": true}, "user": "me",
       "tools": [], "functions": null, "n": 1, "response_format": {"type": "text"},
       "messages": [{"role": "developer", "content": "Be brief", "name": "x"},
                    {"role": "user", "content": [{"type": "text", "text": "Hel"},
                                                 {"type": "text", "text": "lo"}]},
                    {"role": "assistant", "content": null}],
       "thalamus": {"flags": {"cost": 2}, "constraints": {"experts": ["a"]}, "strategy": "pilot"}}
      """)
    #expect(body.streams && body.includesUsage)
    #expect(body.messages.map(\.chatMessage.content) == ["Be brief", "Hello", ""])
    #expect(body.messages.map(\.chatMessage.role) == ["system", "user", "assistant"])
    let request = body.routing.routingRequest(
      model: body.model, input: .prompt("x"), maxTokens: 5, seed: nil)
    #expect(request.expert == nil)
    #expect(request.weights[.cost] == 2 && request.constraints.experts == ["a"])
    #expect(request.strategy == "pilot")
    let direct = body.routing.routingRequest(
      model: "a", input: .prompt("x"), maxTokens: 5, seed: nil)
    #expect(direct.expert == "a")
  }

  @Test func imagesInChats() throws {
    let png = "iVBORw0KGgo="
    func message(_ role: String, _ parts: String) throws -> ChatMessage {
      try decode(MessageBody.self, #"{"role": "\#(role)", "content": [\#(parts)]}"#).chatMessage
    }
    let text = #"{"type": "text", "text": "What is this?"}"#
    let file =
      #"{"type": "image_url", "image_url": {"url": "data:image/png;base64,\#(png)", "detail": "low"}}"#
    let address = #"{"type": "image_url", "image_url": "https://example.com/a.png"}"#
    let expected: [ChatMessage.Part] = [
      .text("What is this?"), .image(try ChatImage(base64: png, detail: "low")),
      .image(try ChatImage(url: "https://example.com/a.png")),
    ]
    for role in ["user", "tool"] {
      #expect(try message(role, "\(text), \(file), \(address)").parts == expected)
    }
    for wrong in [
      #"{"type": "image_url"}"#, #"{"type": "image_url", "image_url": {}}"#,
      #"{"type": "image_url", "image_url": {"url": "data:image/png;base64,?"}}"#,
      #"{"type": "image_url", "image_url": {"url": "/etc/passwd"}}"#,
      #"{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}"#,
    ] {
      let body = #"{"model": "auto", "messages": [{"role": "user", "content": [\#(wrong)]}]}"#
      #expect(refusal(of: ChatCompletionBody.self, body)?.status == 400, "\(wrong)")
    }
    for role in ["system", "assistant"] {
      #expect(throws: APIError.self) { _ = try message(role, file) }
    }
  }

  /// How many alternatives are asked for; nil where no log-probabilities are.
  @Test(
    arguments: [
      ("", nil, nil), (#", "logprobs": null"#, nil, nil), (#", "logprobs": false"#, nil, nil),
      (#", "logprobs": 0"#, nil, 0), (#", "logprobs": 5"#, -1, 5), (#", "logprobs": 20"#, -1, 20),
      (#", "logprobs": true"#, 0, -1), (#", "logprobs": true, "top_logprobs": 3"#, 3, -1),
      (#", "top_logprobs": 0"#, nil, nil), (#", "top_logprobs": 3"#, -1, nil),
      (#", "logprobs": true, "top_logprobs": 21"#, -1, -1), (#", "logprobs": 21"#, -1, -1),
      (#", "logprobs": -1"#, -1, -1), (#", "logprobs": "yes""#, -1, -1),
    ] as [(String, Int?, Int?)])
  func logprobs(fields: String, chat: Int?, completion: Int?) throws {
    let chatBody = #"{"model": "auto", \#(hi)\#(fields)}"#
    if chat == -1 {
      #expect(refusal(of: ChatCompletionBody.self, chatBody)?.status == 400)
    } else {
      #expect(try decode(ChatCompletionBody.self, chatBody).logprobs == chat)
    }
    let body = #"{"model": "auto", "prompt": "x"\#(fields)}"#
    if completion == -1 {
      #expect(refusal(of: CompletionBody.self, body)?.status == 400)
    } else {
      #expect(try decode(CompletionBody.self, body).logprobs == completion)
    }
  }

  @Test(
    arguments: [
      (#"{"model": "auto"}"#, "missing_field", "messages"),
      (#"{"model": "auto", "messages": []}"#, "invalid_value", "messages"),
      (#"{"model": 4, \#(hi)}"#, "invalid_type", "model"),
      (#"{"model": "auto", "n": 0, \#(hi)}"#, "invalid_value", "n"),
      (#"{"model": "auto", "n": 129, \#(hi)}"#, "invalid_value", "n"),
      (#"{"model": "auto", "thalamus": {"flag": {}}, \#(hi)}"#, "unknown_key", "thalamus.flag"),
      (
        #"{"model": "auto", "constraints": {"local_only": true}, \#(hi)}"#, "misplaced_key",
        "constraints"
      ),
      (#"{"model": "auto", "local_only": true, \#(hi)}"#, "misplaced_key", "local_only"),
      (
        #"{"model": "auto", "extra_body": {"thalamus": {}}, \#(hi)}"#, "misplaced_key",
        "extra_body"
      ),
      (#"{"model": "auto", "flags": {}, \#(hi)}"#, "misplaced_key", "flags"),
      (#"{"model": "auto", "strategy": "knn", \#(hi)}"#, "misplaced_key", "strategy"),
      (
        #"{"model": "auto", "modalities": ["audio"], \#(hi)}"#, "unsupported_parameter",
        "modalities"
      ),
      (#"{"model": "auto", "grammar": "root ::= x", \#(hi)}"#, "unsupported_parameter", "grammar"),
      (
        #"{"model": "auto", "thalamus": {"flags": {"size": 1e9}}, \#(hi)}"#, "invalid_value",
        "flags.size"
      ),
      (
        #"{"model": "auto", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}"#,
        "invalid_value", "messages[0].content"
      ),
      (
        #"{"model": "auto", "messages": [{"role": "user", "content": [{"type": "text"}]}]}"#,
        "invalid_value", "messages[0].content"
      ),
      (
        #"{"model": "auto", "messages": [{"role": "user", "content": [{}]}]}"#,
        "missing_field", "messages[0].content[0].type"
      ),
    ] as [(String, String, String?)])
  func chatRefused(json: String, code: String, param: String?) {
    #expect(refusal(of: ChatCompletionBody.self, json) == Refusal(400, code, param))
  }

  @Test func completion() throws {
    let body = try decode(
      CompletionBody.self, #"{"model": "a", "prompt": ["Once"], "echo": true, "max_tokens": 2}"#)
    #expect(
      body.prompts == [.text("Once")] && body.count == 1 && body.echoes && !body.streams
        && !body.includesUsage)
    #expect(body.fields.maxTokens == 2)
    let several = try decode(
      CompletionBody.self, #"{"prompt": ["a", "b"], "n": 64, "best_of": 64}"#)
    #expect(several.prompts == [.text("a"), .text("b")] && several.count == 64)
    let ids = try decode(CompletionBody.self, #"{"model": "a", "prompt": [1, 2]}"#)
    #expect(ids.prompts == [.tokens([1, 2])])
    let lists = try decode(CompletionBody.self, #"{"model": "a", "prompt": [[1, 2], [3]]}"#)
    #expect(lists.prompts == [.tokens([1, 2]), .tokens([3])])
  }

  @Test(
    arguments: [
      (#"{"model": "a"}"#, "missing_field", "prompt"),
      (#"{"model": "a", "prompt": ""}"#, "invalid_value", "prompt"),
      (#"{"model": "a", "prompt": []}"#, "invalid_value", "prompt"),
      (#"{"model": "a", "prompt": ["a", ""]}"#, "invalid_value", "prompt"),
      (#"{"model": "a", "prompt": ["a", "b"], "n": 65}"#, "invalid_value", "n"),
      (
        "{\"prompt\": [\(Array(repeating: #""a""#, count: 129).joined(separator: ","))]}",
        "invalid_value", "prompt"
      ),
      (#"{"model": "a", "prompt": [1, "a"]}"#, "invalid_type", "prompt"),
      (#"{"model": "a", "prompt": [[1], 2]}"#, "invalid_type", "prompt"),
      (#"{"model": "a", "prompt": [1.5]}"#, "invalid_type", "prompt"),
      (#"{"model": "a", "prompt": [[1], []]}"#, "invalid_value", "prompt"),
      (#"{"model": "a", "prompt": "a", "n": 0}"#, "invalid_value", "n"),
      (#"{"model": "a", "prompt": "a", "best_of": 4}"#, "unsupported_parameter", "best_of"),
      (#"{"model": "a", "prompt": "a", "suffix": "b"}"#, "unsupported_parameter", "suffix"),
      (
        #"{"model": "a", "prompt": "a", "constraints": {"local_only": true}}"#, "misplaced_key",
        "constraints"
      ),
    ] as [(String, String, String?)])
  func completionRefused(json: String, code: String, param: String?) {
    #expect(refusal(of: CompletionBody.self, json) == Refusal(400, code, param))
  }

  /// What asks for no more than there is anyway.
  @Test func harmlessParameters() throws {
    _ = try decode(
      CompletionBody.self, #"{"model": "a", "prompt": "a", "best_of": 1, "suffix": null}"#)
    _ = try decode(
      CompletionBody.self, #"{"model": "a", "prompt": "a", "suffix": "", "grammar": null}"#)
    _ = try decode(
      ChatCompletionBody.self,
      #"{"model": "a", "modalities": ["text"], "audio": null, "messages": [{"role": "user", "content": "x"}]}"#
    )
  }

  @Test func embeddings() throws {
    let one = try decode(EmbeddingsBody.self, #"{"input": "a"}"#)
    #expect(one.texts == ["a"] && one.model == nil && one.format == .float)
    let two = try decode(
      EmbeddingsBody.self, #"{"input": ["a", ""], "model": "m", "encoding_format": "base64"}"#)
    #expect(two.texts == ["a", ""] && two.model == "m" && two.format == .base64)
    let most = Array(repeating: #""x""#, count: EmbeddingsBody.maximumTexts)
    #expect(
      try decode(EmbeddingsBody.self, "{\"input\": [\(most.joined(separator: ","))]}").texts.count
        == most.count)
    let more = (most + [#""x""#]).joined(separator: ",")
    #expect(
      refusal(of: EmbeddingsBody.self, "{\"input\": [\(more)]}")
        == Refusal(400, "invalid_value", "input"))
  }

  @Test(
    arguments: [
      ("{}", "missing_field", "input"),
      (#"{"input": []}"#, "invalid_value", "input"),
      (#"{"input": [1, 2]}"#, "invalid_type", "input"),
      (#"{"input": 3}"#, "invalid_type", "input"),
      (#"{"input": "a", "encoding_format": "hex"}"#, "invalid_value", "encoding_format"),
    ] as [(String, String, String?)])
  func embeddingsRefused(json: String, code: String, param: String?) {
    #expect(refusal(of: EmbeddingsBody.self, json) == Refusal(400, code, param))
  }

  /// Other servers' names and habits.
  @Test(
    arguments: [
      (#""model": null"#, "auto", nil, nil, nil), (#""stream": false"#, "auto", nil, nil, nil),
      (#""model": "a", "n_predict": 7, "repeat_penalty": 1.5"#, "a", 7, nil, 1.5),
      (#""max_tokens": -1, "top_k": -1"#, "auto", nil, 0, nil),
      (#""max_tokens": 3, "n_predict": 7"#, "auto", 3, nil, nil),
    ] as [(String, String, Int?, Int?, Float?)])
  func otherServersWords(
    fields: String, model: String, maxTokens: Int?, topK: Int?, penalty: Float?
  ) throws {
    let chat = #"{\#(fields), "messages": [{"role": "user", "content": "Hi"}]}"#
    let body = try JSONDecoder().decode(ChatCompletionBody.self, from: Data(chat.utf8))
    #expect(body.model == model)
    #expect(body.fields.maxTokens == maxTokens)
    #expect(body.fields.topK == topK)
    #expect(body.fields.repetitionPenalty == penalty)
    let text = #"{\#(fields), "prompt": "Hi"}"#
    let completion = try JSONDecoder().decode(CompletionBody.self, from: Data(text.utf8))
    #expect(completion.model == model && completion.fields.maxTokens == maxTokens)
  }
}
