import Foundation
import Routing
import Synchronization
import Tokenization

/// Who gave the latest answers, so that a conversation is known again when it comes back with its next question.
///
/// Clients send no name of a conversation, but all of its messages. It is known by its last question and the answer
/// to that: an expert that gave this answer to this question may as well be asked further, should it have been in another
/// conversation. What came before them may be cut off meanwhile, as agents and clients do with long conversations.
/// Nothing is kept of the texts but a hash, and nothing outlives the process.
package final class ConversationMemory: Sendable {
  private struct State {
    /// Since the older ones were last let go.
    var recent: [String: String] = [:]
    var older: [String: String] = [:]
  }

  private let state = Mutex(State())
  private let capacity: Int

  /// - Parameter capacity: Answers that are remembered at least; twice as many at most.
  package init(capacity: Int = 8192) { self.capacity = capacity }

  /// Remembers who gave an answer.
  ///
  /// - Parameter functions: Names of the functions that it wants called.
  package func note(
    answer: String, calling functions: [String], to input: PromptInput, by expert: String
  ) {
    guard let (question, beginning) = input.lastQuestion else { return }
    let key = Self.key(question: question, answer: beginning + answer, calling: functions)
    state.withLock { state in
      state.recent[key] = expert
      guard state.recent.count >= capacity else { return }
      state.older = state.recent
      state.recent = [:]
    }
  }

  /// The expert that gave the last answer of a conversation; nil where it has none, or that is not remembered.
  package func lastExpert(of input: PromptInput) -> String? {
    guard case .messages(let messages) = input else { return nil }
    // A last message may be the beginning of an answer that the client wrote.
    let answers = messages.indices.filter { messages[$0].role == "assistant" }.suffix(2)
    for index in answers.reversed() {
      let before = messages[..<index].last { $0.role == "user" }
      let key = Self.key(
        question: before?.content ?? "", answer: messages[index].content,
        calling: messages[index].toolCalls.map(\.name))
      if let expert = state.withLock({ $0.recent[key] ?? $0.older[key] }) { return expert }
    }
    return nil
  }

  /// Blanks around a text get lost on its way through clients.
  private static func key(question: String, answer: String, calling functions: [String]) -> String {
    let texts = [question, answer].map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    let parts = texts + functions
    return SHA256.hex(of: parts.map { "\($0.utf8.count):\($0)" }.joined())
  }
}

extension PromptInput {
  /// What an answer is to, and what the client wrote of the answer itself; nil of a text that is no question.
  fileprivate var lastQuestion: (question: String, beginning: String)? {
    switch self {
    case .prompt(let text): return (text, "")
    case .continuation, .tokens: return nil
    case .messages(let messages):
      let beginning = messages.last.flatMap { $0.role == "assistant" ? $0.content : nil }
      return (messages.last { $0.role == "user" }?.content ?? "", beginning ?? "")
    }
  }
}
