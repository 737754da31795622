import Server
import Testing

/// Of a limit that is stated twice, none may be lost.
@Suite struct RepeatedKeyTests {
  @Test(arguments: [
    (
      #"{"prompt": "a", "constraints": {"local_only": true, "local_only": false}}"#,
      "constraints.local_only"
    ),
    (#"{"prompt": "a", "constraints": {"local_only": true}, "constraints": {}}"#, "constraints"),
    (#"{"prompt": "a", "prompt": "b"}"#, "prompt"),
  ])
  func route(body: String, param: String) {
    #expect(refusal(of: RouteBody.self, body) == Refusal(400, "repeated_key", param))
  }

  @Test func everyInterface() {
    let limits = #""thalamus": {"constraints": {"local_only": true}}, "thalamus": {}"#
    let repeated = Refusal(400, "repeated_key", "thalamus")
    let messages = #""messages": [{"role": "user", "content": "a"}]"#
    #expect(refusal(of: ChatCompletionBody.self, "{\(messages), \(limits)}") == repeated)
    #expect(refusal(of: CompletionBody.self, #"{"prompt": "a", \#(limits)}"#) == repeated)
  }
}
