import Foundation
import Generation
import JSON
import Library
import Testing
import Tokenization

/// How experts that think are known, prompted and read.
@Suite(.serialized) struct ReasoningLayoutTests {
  /// A template of the fixtures that `scripts/fixtures/chat_templates.py` made after the published ones.
  private static func template(_ name: String) throws -> String {
    let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "TokenizationTests/Fixtures/chat-templates.jsonl")
    for line in try Data(contentsOf: path).split(separator: 0x0A) {
      let row = try JSONParser.parse(Array(line))
      if row["template"] == .string(name), case .string(let source)? = row["source"] {
        return source
      }
    }
    throw CocoaError(.fileNoSuchFile)
  }

  /// As Qwen's thinking models and DeepSeek-R1 have it: the prompt opens the thinking.
  private static let opening = """
    {%- for message in messages -%}
    {{ '<|im_start|>' + message.role + '\\n' }}
    {%- if message.reasoning_content %}{{ '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}{% endif -%}
    {{ message.content + '<|im_end|>\\n' }}
    {%- endfor -%}
    {%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n<think>\\n' }}{%- endif -%}
    """

  /// SmolLM2 under a template of the test's own.
  private func expert(_ template: String?, card: String = "") async throws -> LocalExpert {
    let folder = try TemporaryFolder()
    let real = try ExpertManifest.load(folder: Models.smolLM)
    let line = template == nil ? "" : "chat_template: own.jinja\n"
    try folder.write("id: t\nfile: w.gguf\n\(line)\(card)", to: "t/expert.yaml")
    if let template { try folder.write(template, to: "t/own.jinja") }
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/t/w.gguf", withDestinationPath: real.modelPath)
    return try await Models.loader().load(ExpertManifest.load(folder: folder.path + "/t"))
  }

  private func prompt(
    _ expert: LocalExpert, _ messages: [ChatMessage], _ reasoning: ReasoningRequest = .init()
  ) throws -> String {
    let tokens = try expert.promptTokens(.messages(messages), reasoning: reasoning)
    return String(
      decoding: tokens.flatMap { expert.tokenizer.bytes(of: $0) }, as: UTF8.self)
  }

  @Test func thinkingIsKnownByTheTemplate() throws {
    func style(_ name: String) throws -> ReasoningStyle? {
      ReasoningLayout(templateSource: try Self.template(name))?.style
    }
    #expect(try style("qwen3") == .think && style("deepseek") == .think)
    #expect(try style("gemma4") == .thought)
    #expect(try style("qwen2.5") == nil && style("llama3.1") == nil && style("smollm2") == nil)
    #expect(
      ReasoningLayout(templateSource: "{{ '<|channel|>analysis<|message|>' }}")?.style == .channels)
  }

  @Test func aCardKnowsBetter() async throws {
    #expect(try await expert(Self.opening).layout.reasoning?.style == .think)
    #expect(try await expert(Self.opening, card: "reasoning: none").layout.reasoning == nil)
    #expect(try await expert(nil).layout.reasoning == nil)
    #expect(try await expert(nil, card: "reasoning: channels").layout.reasoning?.style == .channels)
    for (card, problem) in [
      ("reasoning: much", "unknown reasoning 'much'; known: think, thought, channels, none"),
      (
        "chat_template: ../x.jinja",
        "chat_template '../x.jinja' must be a path inside the expert's folder"
      ),
    ] {
      let error = await #expect(throws: LibraryError.self) { try await expert(nil, card: card) }
      #expect("\(error.map { "\($0)" } ?? "")".hasSuffix(problem))
    }
    let folder = try TemporaryFolder()
    try folder.write("id: t\nfile: w.gguf\nchat_template: none.jinja", to: "t/expert.yaml")
    let manifest = try ExpertManifest.load(folder: folder.path + "/t")
    #expect(throws: LibraryError.missingFile(expert: "t", path: folder.path + "/t/none.jinja")) {
      try ChatLayout.named(in: manifest)
    }
  }

  private static let question = ChatMessage(role: "user", content: "Hi")

  /// Qwen 3's own variable reaches its template, and what the prompt leaves the model in is known.
  @Test func variablesReachTheTemplate() async throws {
    let expert = try await expert(Self.template("qwen3"))
    let head = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    let off = head + "<think>\n\n</think>\n\n"
    #expect(try prompt(expert, [Self.question]) == head)
    #expect(try prompt(expert, [Self.question], .init(effort: .high)) == head)
    for request in [
      ReasoningRequest(effort: Effort.none), .off, .init(budgetTokens: 0),
      .init(templateVariables: ["enable_thinking": .bool(false)]),
      .init(effort: .high, templateVariables: ["enable_thinking": .bool(false)]),
    ] {
      #expect(try prompt(expert, [Self.question], request) == off)
    }
    #expect(
      try prompt(
        expert, [Self.question],
        .init(effort: Effort.none, templateVariables: ["enable_thinking": .bool(true)])) == head)
    // A variable speaks for the caller, and for nobody else.
    let written = try await self.expert("{{ messages[0].content }}{{ x }}{{ reasoning_effort }}")
    let text = try prompt(
      written, [Self.question],
      .init(effort: .low, templateVariables: ["x": .string("<|im_end|>")]))
    #expect(text == "Hi<\u{200B}|im_end|>low")
    let tokens = try written.promptTokens(
      .messages([Self.question]),
      reasoning: .init(templateVariables: ["x": .array([.string("<|im_start|>")])]))
    #expect(!tokens.contains(where: written.tokenizer.isSpecial))
  }

  private typealias Effort = ReasoningRequest.Effort

  /// Thinking that the prompt opens is closed where there is to be none, whatever the template knows.
  @Test func openThinkingIsClosed() async throws {
    let expert = try await expert(Self.opening)
    let head = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n"
    #expect(try prompt(expert, [Self.question]) == head)
    #expect(try prompt(expert, [Self.question], .off) == head + "\n</think>\n\n")
  }

  @Test func thinkingOfEarlierAnswersReachesTheTemplate() async throws {
    let expert = try await expert(Self.opening)
    let text = try prompt(
      expert,
      [
        Self.question, .init(role: "assistant", content: "4", reasoning: "Hm <|im_end|>"),
        Self.question,
      ])
    #expect(text.contains("assistant\n<think>\nHm <\u{200B}|im_end|>\n</think>\n\n4<|im_end|>"))
  }

  /// Answers that were begun, with thinking or within it.
  @Test func begunAnswersAreGoneOnWith() {
    let layout = ReasoningLayout(.think)
    for (text, reasoning, content, expected, start) in [
      ("A:", nil, "", "A:", .undecided), ("A:<think>\n", nil, "", "A:<think>\n", .reasoning),
      ("A:\n", nil, "So", "A:\nSo", .answer),
      ("A:<think>\n", nil, "So", "A:<think>\n\n</think>\n\nSo", .answer),
      ("A:\n", "Hm", "So", "A:\n<think>\nHm\n</think>\n\nSo", .answer),
      ("A:<think>\n", "Hm", "So", "A:<think>\nHm\n</think>\n\nSo", .answer),
      ("A:\n", "Hm", "", "A:\n<think>\nHm", .reasoning),
      ("A:<think>\n", "Hm", "", "A:<think>\nHm", .reasoning),
      ("A:\n", nil, "<think>Hm", "A:\n<think>Hm", .reasoning),
      ("A:<think>", nil, "<think>Hm", "A:<think>Hm", .reasoning),
      ("A:\n", nil, "<think>Hm</think>\n", "A:\n<think>Hm</think>\n", .closed),
      ("A:\n", nil, "<think>Hm</think>So", "A:\n<think>Hm</think>So", .answer),
      ("A:<think>\n\n</think>\n\n", nil, "", "A:<think>\n\n</think>\n\n", .closed),
    ] as [(String, String?, String, String, ReasoningReader.Start)] {
      let begun =
        reasoning == nil && content.isEmpty
        ? nil : ChatMessage(role: "assistant", content: content, reasoning: reasoning)
      let found = layout.opened(text, begun: begun, isOff: false)
      #expect(found.text == expected && found.start == start, "\(found)")
    }
    let thought = ReasoningLayout(.thought)
    let off = thought.opened("A:<|channel>thought\n<channel|>", begun: nil, isOff: true)
    #expect(off.start == .closed && off.text == "A:<|channel>thought\n<channel|>")
    let cut = thought.opened(
      "A:\n", begun: ChatMessage(role: "assistant", content: "", reasoning: "Hm"), isOff: false)
    #expect(cut.start == .reasoning && cut.text == "A:\n<|channel>thought\nHm")
    #expect(
      thought.opened(
        "A:\n", begun: ChatMessage(role: "assistant", content: "So", reasoning: "Hm"), isOff: false
      ).text == "A:\n<|channel>thought\nHm\n<channel|>So")
    let channels = ReasoningLayout(.channels)
    let begun = ChatMessage(role: "assistant", content: "So", reasoning: "Hm")
    #expect(
      channels.opened("A", begun: begun, isOff: false).text
        == "A<|channel|>analysis<|message|>Hm<|end|><|start|>assistant<|channel|>final<|message|>So"
    )
    #expect(channels.opened("A", begun: nil, isOff: false).start == .undecided)
  }

  /// A real model's answer, with a budget that ends its thinking.
  @Test func thinkingAndAnswerComeApart() async throws {
    let expert = try await expert(Self.opening)
    var parameters = SamplingParameters(temperature: 0, maxTokens: 30)
    parameters.reasoning.budgetTokens = 4
    var found = (reasoning: "", text: "", summary: GenerationSummary?.none)
    for try await event in try await expert.answer(
      .messages([.init(role: "user", content: "What is the capital of France?")]),
      parameters: parameters)
    {
      switch event {
      case .reasoning(let piece): found.reasoning += piece
      case .text(let piece, _): found.text += piece
      case .finished(let summary): found.summary = summary
      default: break
      }
    }
    #expect(!found.reasoning.isEmpty && !found.text.isEmpty)
    #expect(!(found.reasoning + found.text).contains("think>"), "\(found)")
    let count = try #require(found.summary?.reasoningTokens)
    #expect((4...10).contains(count), "four, and the mark that closes: \(count)")
  }
}
