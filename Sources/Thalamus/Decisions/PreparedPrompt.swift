import Routing
import Tokenization

/// What a caller wants answered.
package enum PromptInput: Sendable {
  /// One question: `prompt` of `/route`. Experts see it as a user's message.
  case prompt(String)
  /// A chat, oldest message first.
  case messages([ChatMessage])
  /// A text to continue as it stands: `/v1/completions`.
  case continuation(String)
  /// The same in a named expert's own tokens: they stay as they are, flags in their text too.
  case tokens([Int32], text: String)
}

/// A prompt with its flags taken out: what the router looks at and what the expert reads.
package struct PreparedPrompt: Sendable {
  package let flags: PromptFlags
  /// What the expert reads.
  package let expertInput: PromptInput
  /// What the router reads: the user's words, the latest first.
  package let routingText: String
  /// What the router embeds message by message: the user's words, the latest first; of a prompt, all of it.
  package let questions: [String]
  /// Bytes of all the text that the expert reads: of a chat, every message's.
  package let expertByteCount: Int
  /// Images that it is shown.
  package let imageCount: Int
  /// What the decision log keeps of it.
  package let loggedText: String

  /// Whether some images are none that an expert here can read.
  var hasImagesForEndpoints: Bool {
    guard imageCount > 0, case .messages(let messages) = expertInput else { return false }
    return messages.contains { $0.images.contains { $0.image.isForEndpoints } }
  }

  var isChat: Bool { if case .messages = expertInput { true } else { false } }

  /// Whether the expert would read nothing.
  package var isEmpty: Bool { expertByteCount == 0 && imageCount == 0 }

  package init(_ input: PromptInput) {
    switch input {
    case .prompt(let text):
      let flags = PromptFlags.parse(text)
      self.init(
        flags: flags, expertInput: .prompt(flags.expertText), routingText: flags.expertText,
        expertByteCount: flags.expertText.utf8.count, loggedText: text)
    case .continuation(let text):
      let flags = PromptFlags.parse(text)
      self.init(
        flags: flags, expertInput: .continuation(flags.expertText), routingText: flags.expertText,
        expertByteCount: flags.expertText.utf8.count, loggedText: text)
    case .tokens(_, let text):
      self.init(
        flags: PromptFlags(strippedText: text), expertInput: input, routingText: text,
        expertByteCount: text.utf8.count, loggedText: text)
    case .messages(let messages):
      // Flags are the user's and the operator's to set: an answer that quotes one asks for nothing, nor
      // does what a tool found.
      var found: [PromptFlags] = []
      var unread = PromptFlags.maximumFlags
      var cleaned: [ChatMessage] = []
      for message in messages {
        guard message.role == "user" || message.role == "system" else {
          cleaned.append(message)
          continue
        }
        cleaned.append(
          message.mapTexts { text in
            let flags = PromptFlags.parse(text, maximumFlags: unread)
            unread -= flags.understood.count + flags.ignored.count
            found.append(flags)
            return flags.expertText
          })
      }
      let words = cleaned.filter { $0.role == "user" }.map(\.content)
      self.init(
        flags: PromptFlags.merge(found), expertInput: .messages(cleaned),
        routingText: words.reversed().joined(separator: "\n"), questions: words.reversed(),
        expertByteCount: cleaned.reduce(0) { $0 + $1.byteCount },
        imageCount: cleaned.reduce(0) { $0 + $1.images.count },
        loggedText: messages.map { "\($0.role): \($0.loggedContent)" }.joined(separator: "\n"))
    }
  }

  private init(
    flags: PromptFlags, expertInput: PromptInput, routingText: String, questions: [String]? = nil,
    expertByteCount: Int, imageCount: Int = 0, loggedText: String
  ) {
    self.flags = flags
    self.expertInput = expertInput
    self.routingText = routingText
    // A chat may have nothing but a system's message.
    self.questions = questions.flatMap { $0.isEmpty ? nil : $0 } ?? [routingText]
    self.expertByteCount = expertByteCount
    self.imageCount = imageCount
    self.loggedText = loggedText
  }
}

extension ChatMessage {
  /// The text, with the calls that it asked for.
  fileprivate var loggedContent: String {
    ([content] + toolCalls.map { "\($0.name)(\($0.arguments))" }).filter { !$0.isEmpty }
      .joined(separator: "\n")
  }
}
