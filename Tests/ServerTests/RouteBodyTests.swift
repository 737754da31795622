import Server
import Testing
import Thalamus

@Suite struct RouteBodyTests {
  @Test func wholeBody() throws {
    let body = try decode(
      RouteBody.self,
      """
      {"prompt": "Hi [Flag: newest]", "flags": {"size": 0.5}, "strategy": "knn",
       "constraints": {"local_only": true, "licenses": ["MIT"]}, "generate": false, "stream": true,
       "max_tokens": 5, "temperature": 0.25, "seed": 7, "stop": ["a", "b"]}
      """)
    guard case .prompt("Hi [Flag: newest]") = body.input else {
      Issue.record("\(body.input)")
      return
    }
    #expect(body.weights[.size] == 0.5)
    #expect(body.constraints.localOnly == true && body.constraints.licenses == ["mit"])
    #expect(!body.generates && body.streams)
    let request = body.routingRequest(defaultMaxTokens: 9)
    #expect(request.strategy == "knn" && request.maxTokens == 5 && request.seed == 7)
    #expect(request.expert == nil)
    let parameters = body.fields.parameters(defaultMaxTokens: 9, defaultTemperature: 0.7)
    #expect(parameters.temperature == 0.25)
    #expect(parameters.maxTokens == 5)
    #expect(parameters.stop == ["a", "b"])
  }

  @Test func leastBody() throws {
    let body = try decode(RouteBody.self, #"{"messages": [{"role": "user", "content": "Hi"}]}"#)
    guard case .messages(let messages) = body.input else {
      Issue.record("\(body.input)")
      return
    }
    #expect(messages.map(\.content) == ["Hi"])
    #expect(body.generates && !body.streams && body.constraints.isEmpty)
    #expect(body.routingRequest(defaultMaxTokens: 9).maxTokens == 9)
  }

  @Test(
    arguments: [
      ("", "missing_body", nil),
      ("{", "invalid_json", nil),
      ("not json", "invalid_json", nil),
      ("[]", "invalid_type", nil),
      ("\"text\"", "invalid_type", nil),
      ("{}", "missing_field", "prompt"),
      (#"{"prompt": ""}"#, "invalid_value", "prompt"),
      (#"{"prompt": 3}"#, "invalid_type", "prompt"),
      (#"{"messages": []}"#, "invalid_value", "messages"),
      (
        #"{"prompt": "a", "messages": [{"role": "user", "content": "b"}]}"#, "invalid_value",
        "messages"
      ),
      (#"{"messages": [{"content": "b"}]}"#, "missing_field", "messages[0].role"),
      (
        #"{"messages": [{"role": "user", "content": "b"}, {"role": "user"}]}"#, "missing_field",
        "messages[1].content"
      ),
      (#"{"messages": [{"role": "king", "content": "b"}]}"#, "invalid_value", "messages[0].role"),
      (#"{"messages": [{"role": "user", "content": 1}]}"#, "invalid_type", "messages[0].content"),
      (#"{"prompt": "a", "max_token": 3}"#, "unknown_key", "max_token"),
      (#"{"prompt": "a", "flags": {"sise": 1}}"#, "unknown_key", "flags.sise"),
      (#"{"prompt": "a", "flags": {"size": -1}}"#, "invalid_value", "flags.size"),
      (#"{"prompt": "a", "flags": {"size": "big"}}"#, "invalid_type", "flags.size"),
      (#"{"prompt": "a", "constraints": {"local": true}}"#, "unknown_key", "constraints.local"),
      (
        #"{"prompt": "a", "constraints": {"max_parameters": 0}}"#, "invalid_value",
        "constraints.max_parameters"
      ),
      (
        #"{"prompt": "a", "constraints": {"local_only": "yes"}}"#, "invalid_type",
        "constraints.local_only"
      ),
      (#"{"prompt": "a", "max_tokens": "many"}"#, "invalid_type", "max_tokens"),
      (#"{"prompt": "a", "max_tokens": 1e30}"#, "invalid_value", "max_tokens"),
      (#"{"prompt": "a", "max_tokens": 1.5}"#, "invalid_value", "max_tokens"),
      (#"{"prompt": "a", "constraints": {"max_parameters": 1e30}}"#, "invalid_value", nil),
      (#"{"prompt": "a", "seed": 1.5}"#, "invalid_value", "seed"),
      (#"{"prompt": "a", "stop": 3}"#, "invalid_type", "stop"),
      (#"{"prompt": "a", "generate": "no"}"#, "invalid_type", "generate"),
    ] as [(String, String, String?)])
  func refused(json: String, code: String, param: String?) {
    #expect(refusal(of: RouteBody.self, json) == Refusal(400, code, param))
  }

  @Test func misspeltKeyIsSuggested() {
    #expect {
      try decode(RouteBody.self, #"{"prompt": "a", "constraint": {}}"#)
    } throws: { error in
      (error as? APIError)?.message == "unknown key 'constraint'; did you mean 'constraints'?"
    }
  }
}
