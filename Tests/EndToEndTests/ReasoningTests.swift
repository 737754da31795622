import Foundation
import Testing

/// An expert that thinks before it answers: SmolLM2 under a template that opens its thinking.
@Suite(.serialized) struct ReasoningTests {
  /// It gives earlier thinking back to the model, and knows Qwen's word for none.
  private static let template = """
    {%- for message in messages -%}
    {{ '<|im_start|>' + message.role + '\\n' }}
    {%- if message.reasoning_content %}{{ '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}{% endif -%}
    {{ message.content + '<|im_end|>\\n' }}
    {%- endfor -%}
    {%- if add_generation_prompt -%}
    {{ '<|im_start|>assistant\\n<think>\\n' }}
    {%- if enable_thinking is defined and not enable_thinking %}{{ '\\n</think>\\n\\n' }}{% endif -%}
    {%- endif -%}
    """

  private func thinkers() throws -> ModelsFolder {
    let models = try ModelsFolder()
    let weights = Binary.packageRoot.appending(
      path: "models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf")
    for (id, template) in [("thinker", "\nchat_template: thinking.jinja"), ("plain", "")] {
      let folder = URL(filePath: models.path).appending(path: id)
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try FileManager.default.createSymbolicLink(
        at: folder.appending(path: "model.gguf"), withDestinationURL: weights)
      try Data("id: \(id)\nfile: model.gguf\(template)\n".utf8).write(
        to: folder.appending(path: "expert.yaml"))
      try Data(Self.template.utf8).write(to: folder.appending(path: "thinking.jinja"))
    }
    return models
  }

  @Test func officialClientsSeeTheThinking() async throws {
    let models = try thinkers()
    let server = try await models.serve()
    let python = Binary.packageRoot.appending(path: ".venv-test/bin/python")
    try #require(
      FileManager.default.isExecutableFile(atPath: python.path),
      "`make client` installs the packages")
    let script = Binary.packageRoot.appending(path: "Tests/EndToEndTests/Clients/reasoning.py")
    let outcome = try await Command.run(python, [script.path, server.baseURL.absoluteString])
    #expect(outcome.status == 0, "\(outcome.output)\n\(outcome.errors)")
    #expect(outcome.output.contains("all checks passed"))
  }

  private static let question =
    #""messages": [{"role": "user", "content": "What is the capital of France?"}], "temperature": 0, "max_tokens": 30, "thinking_budget_tokens": 5"#

  @Test func routesAndLogsKeepItApart() async throws {
    let models = try thinkers()
    let server = try await models.serve()
    let asked = "{\"strategy\": \"single:thinker\", \(Self.question)"
    let whole = try await server.post("/route", asked + "}")
    #expect(whole.status == 200, "\(whole.text)")
    let completion = try whole.json["completion"]
    let reasoning = try #require(completion["reasoning"].string)
    let text = try #require(completion["text"].string)
    #expect(!reasoning.isEmpty && !text.isEmpty && !text.contains("think"))
    let count = try whole.json["usage"]["completion_tokens_details"]["reasoning_tokens"].int ?? 0
    #expect(count >= 5)

    let stream = try await server.post("/route", asked + ", \"stream\": true}")
    func pieces(_ name: String) throws -> String {
      try stream.text.components(separatedBy: "\n\n").filter { $0.hasPrefix("event: \(name)\n") }
        .map { event in
          let data = try #require(event.firstMatch(of: /data: (.*)/)?.1)
          return JSON(try JSONSerialization.jsonObject(with: Data(data.utf8)))[name].string ?? ""
        }.joined()
    }
    #expect(try pieces("reasoning") == reasoning && pieces("text") == text)

    // What is measured of the answer is the answer's.
    let id = try #require(whole.headers["x-thalamus-decision"])
    var logged = JSON(nil)
    for _ in 0..<100 where logged["output_characters"].int == nil {
      logged = try await server.get("/decisions/\(id)").json
      try await Task.sleep(for: .milliseconds(20))
    }
    #expect(logged["output_characters"].int == text.count)

    for (field, status) in [
      (#""chat_template_kwargs": {"messages": []}"#, 400), (#""reasoning_effort": "much""#, 400),
      (#""chat_template_kwargs": {"raise_exception": 1, "namespace": [], "range": {}}"#, 200),
      (#""thinking_budget_tokens": -5"#, 400),
    ] {
      let fields = asked.replacing(#", "thinking_budget_tokens": 5"#, with: "")
      #expect(try await server.post("/route", "\(fields), \(field)}").status == status, "\(field)")
    }
  }

  /// Another server's thinker is one here too.
  @Test func thinksThroughAnotherServer() async throws {
    let models = try thinkers()
    let far = try await models.serve()
    let folder = try ModelsFolder()
    let added = try await Command.thalamus(
      "experts", "add", far.baseURL.absoluteString + "/v1", "--model", "thinker", "--id", "far",
      "--models", folder.path)
    #expect(added.status == 0, "\(added.errors)")
    let near = try await folder.serve()
    let direct = try await far.post(
      "/v1/chat/completions", "{\"model\": \"thinker\", \(Self.question)}")
    let through = try await near.post(
      "/v1/chat/completions", "{\"model\": \"far\", \(Self.question)}")
    let (expected, found) = (
      try direct.json["choices"][0]["message"], try through.json["choices"][0]["message"]
    )
    #expect(expected["reasoning_content"].string?.isEmpty == false, "\(direct.text)")
    for key in ["content", "reasoning_content"] {
      #expect(found[key].string == expected[key].string, "\(through.text)")
    }
    let count = try direct.json["usage"]["completion_tokens_details"]["reasoning_tokens"].int
    #expect(
      try through.json["usage"]["completion_tokens_details"]["reasoning_tokens"].int == count)
    let off = try await near.post(
      "/v1/chat/completions",
      "{\"model\": \"far\", \"reasoning_effort\": \"none\", \(Self.question)}")
    #expect(try off.json["choices"][0]["message"]["reasoning_content"].value == nil)
    #expect(try off.json["choices"][0]["message"]["content"].string?.isEmpty == false)
  }
}
