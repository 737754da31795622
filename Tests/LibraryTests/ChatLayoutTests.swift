import Library
import Testing
import Tokenization

@Suite struct ChatLayoutTests {
  private static let chat = [
    ChatMessage(role: "system", content: "Be brief. "),
    ChatMessage(role: "user", content: " Hi"),
    ChatMessage(role: "assistant", content: "Hello"),
    ChatMessage(role: "user", content: "Bye\n"),
  ]

  private func source(_ folder: String) throws -> ModelSource {
    try ModelSource(ExpertManifest.load(folder: folder))
  }

  private func layout(chatTemplate: String?, weights folder: String) throws -> ChatLayout {
    let temporary = try TemporaryFolder()
    let line = chatTemplate.map { "\nchat_template: \($0)" } ?? ""
    try temporary.write("id: t\nfile: w" + line, to: "t/expert.yaml")
    return try ChatLayout.of(
      ExpertManifest.load(folder: temporary.path + "/t"), source: source(folder))
  }

  private func render(_ layout: ChatLayout, opening: Bool = true) throws -> String {
    try layout.template.render(
      messages: Self.chat, addGenerationPrompt: opening, bosToken: "<s>", eosToken: "</s>")
  }

  @Test func plainDialogue() throws {
    let layout = try layout(chatTemplate: "plain", weights: Models.gemma)
    let dialogue = "Be brief.\nQuestion: Hi\nAnswer: Hello\nQuestion: Bye\n"
    #expect(try render(layout) == dialogue + "Answer:")
    #expect(try render(layout, opening: false) == dialogue)
    #expect(layout.stopTexts == ["\nQuestion:", "\nAnswer:"])
  }

  @Test func templateOfTheWeights() throws {
    let layout = try layout(chatTemplate: nil, weights: Models.smolLM)
    #expect(layout.stopTexts.isEmpty)
    let text = try render(layout)
    #expect(text.contains("<|im_start|>assistant\nHello<|im_end|>"))
    #expect(text.hasSuffix("<|im_start|>assistant\n"))
  }

  @Test func weightsWithoutATemplateGetChatML() throws {
    let layout = try layout(chatTemplate: nil, weights: Models.gemma)
    #expect(try render(layout).hasPrefix("<|im_start|>system\nBe brief. <|im_end|>\n"))
  }

  @Test func builtInByName() throws {
    let layout = try layout(chatTemplate: "llama3", weights: Models.smolLM)
    #expect(try render(layout).hasPrefix("<s><|start_header_id|>system"))
  }

  @Test func unknownNameListsTheKnown() throws {
    #expect {
      try layout(chatTemplate: "chatlm", weights: Models.smolLM)
    } throws: { error in
      guard case .invalidCard(_, let problem)? = error as? LibraryError else { return false }
      return problem
        == "unknown chat_template 'chatlm'; known: plain, chatml, gemma, llama3, mistral"
    }
  }
}
