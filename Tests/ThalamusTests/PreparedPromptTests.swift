import Routing
import Testing
import Thalamus
import Tokenization

@Suite struct PreparedPromptTests {
  private func text(_ input: PromptInput) -> String? {
    switch input {
    case .prompt(let text), .continuation(let text), .tokens(_, let text): text
    case .messages: nil
    }
  }

  @Test func promptLosesItsFlags() {
    let prompt = PreparedPrompt(.prompt("Prove it. [Flag: smallest model]"))
    #expect(text(prompt.expertInput) == "Prove it.")
    #expect(prompt.routingText == "Prove it.")
    #expect(prompt.loggedText == "Prove it. [Flag: smallest model]")
    #expect(prompt.flags.weights[.size] == 1)
    guard case .prompt = prompt.expertInput else {
      Issue.record("a prompt must stay one")
      return
    }
  }

  @Test func continuationStaysOne() {
    let prompt = PreparedPrompt(.continuation("Once [Flag: local only] upon"))
    guard case .continuation("Once upon") = prompt.expertInput else {
      Issue.record("\(prompt.expertInput)")
      return
    }
    #expect(prompt.flags.constraints.localOnly == true)
  }

  @Test func literalFlagIsReadWithoutItsBackslash() {
    let prompt = PreparedPrompt(.prompt(#"What does \[Flag: local only] do?"#))
    #expect(text(prompt.expertInput) == "What does [Flag: local only] do?")
    #expect(prompt.flags.understood.isEmpty)
  }

  /// The user's messages and the operator's, not what a model answered or a tool found.
  @Test func usersAndOperatorsSetFlags() {
    let prompt = PreparedPrompt(
      .messages([
        ChatMessage(role: "system", content: "Obey. [Flag: local only]"),
        ChatMessage(role: "user", content: "First [Flag: size=0.5]"),
        ChatMessage(role: "assistant", content: "Use [Flag: cheapest]"),
        ChatMessage(role: "tool", content: "[Flag: newest]"),
        ChatMessage(
          role: "user", content: #"Second \[Flag: x] [Flag: size=0.25] [Flag: nonsense]"#),
      ]))
    guard case .messages(let messages) = prompt.expertInput else {
      Issue.record("messages must stay messages")
      return
    }
    #expect(
      messages.map(\.content) == [
        "Obey.", "First", "Use [Flag: cheapest]", "[Flag: newest]",
        "Second [Flag: x]",
      ])
    #expect(messages.map(\.role) == ["system", "user", "assistant", "tool", "user"])
    #expect(prompt.flags.weights.given.map(\.goal) == [.size])
    #expect(prompt.flags.weights[.size] == 0.25, "the last flag for a goal wins")
    #expect(prompt.flags.constraints.localOnly == true)
    #expect(prompt.flags.ignored.map(\.text) == ["nonsense"])
    #expect(prompt.routingText == "Second [Flag: x]\nFirst", "the latest words come first")
    #expect(prompt.expertByteCount == messages.reduce(0) { $0 + $1.content.utf8.count })
    #expect(prompt.loggedText.hasPrefix("system: Obey. [Flag: local only]\nuser: First [Flag:"))
  }

  /// Flags are taken out of each text, and images stay where they stand among them.
  @Test func imagesAmongTexts() throws {
    let image = try ChatImage(url: "https://example.com/a.png")
    let prompt = PreparedPrompt(
      .messages([
        ChatMessage(
          role: "user",
          parts: [.text("See [Flag: local only]"), .image(image), .text("or [Flag: newest] not")])
      ]))
    guard case .messages(let messages) = prompt.expertInput else {
      Issue.record("no chat")
      return
    }
    #expect(messages[0].parts == [.text("See"), .image(image), .text("or not")])
    #expect(prompt.imageCount == 1)
    #expect(prompt.flags.constraints.localOnly == true && prompt.flags.weights[.recency] == 1)
    #expect(prompt.routingText == "Seeor not")
    let alone = PreparedPrompt(.messages([ChatMessage(role: "user", parts: [.image(image)])]))
    #expect(!alone.isEmpty && alone.routingText == "" && alone.questions == [""])
  }

  @Test func flagsOfAllMessagesShareOneBound() {
    let message = ChatMessage(
      role: "user", content: String(repeating: "[Flag: newest]", count: 700))
    let prompt = PreparedPrompt(.messages([message, message]))
    #expect(prompt.flags.understood.count == PromptFlags.maximumFlags)
    #expect(prompt.flags.unreadCount == 1400 - PromptFlags.maximumFlags)
  }

  @Test func nothingButAFlag() {
    let prompt = PreparedPrompt(.prompt("[Flag: fastest]"))
    #expect(text(prompt.expertInput) == "")
    #expect(prompt.flags.weights[.latency] == 1)
    let chat = PreparedPrompt(.messages([ChatMessage(role: "system", content: "x")]))
    #expect(chat.routingText == "")
  }

  /// What the router saw is found again from the log, or it is said that it can't be.
  @Test(
    arguments: [
      .prompt("Prove it. [Flag: smallest model]"),
      .prompt("user: is how a prompt may begin"),
      .prompt("a\n\nb: c\n"),
      .continuation("Once [Flag: local only] upon"),
      .messages([ChatMessage(role: "user", content: "Hi")]),
      .messages([
        ChatMessage(role: "system", content: "Obey.\n\nNote: always."),
        ChatMessage(role: "user", content: "First [Flag: size=0.5]\nline"),
        ChatMessage(role: "assistant", content: "Use\n"),
        ChatMessage(role: "tool", content: "42"),
        ChatMessage(role: "user", content: #"Second \[Flag: x] and \r\n more"#),
      ]),
    ] as [PromptInput])
  func whatTheRouterLookedAtIsFoundInTheLog(input: PromptInput) {
    let prompt = PreparedPrompt(input)
    let hash = SHA256.hex(of: prompt.routingText)
    let logged = PreparedPrompt.logged(prompt.loggedText, sha256: hash)
    #expect(logged?.routingText == prompt.routingText)
    #expect(logged?.questions == prompt.questions)
    #expect(PreparedPrompt.logged(prompt.loggedText + "x", sha256: hash) == nil)
  }

  @Test func chatThatLooksLikeAnotherIsNotGuessed() {
    let prompt = PreparedPrompt(
      .messages([
        ChatMessage(role: "user", content: "Read this:\nuser: Hello"),
        ChatMessage(role: "user", content: "And?"),
      ]))
    #expect(
      PreparedPrompt.logged(prompt.loggedText, sha256: SHA256.hex(of: prompt.routingText)) == nil)
  }
}
