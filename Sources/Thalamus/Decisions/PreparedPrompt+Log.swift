import Routing
import Tokenization

extension PreparedPrompt {
  /// A prompt that was logged, as the router looked at it; nil where that can't be told from what the log kept.
  ///
  /// The log has a chat as text, `role: content` message by message, so that a message with a line that looks like
  /// another's beginning is read as two. The hash tells whether it was read as it was written.
  ///
  /// - Parameters:
  ///   - text: The log's ``loggedText``, with nothing cut off.
  ///   - hash: SHA-256 of its ``routingText``, hex.
  package static func logged(_ text: String, sha256 hash: String) -> PreparedPrompt? {
    let readings = [PromptInput.prompt(text), .messages(messages(in: text))]
    return readings.lazy.map { PreparedPrompt($0) }.first {
      SHA256.hex(of: $0.routingText) == hash
    }
  }

  private static let roles = ["system", "user", "assistant", "tool"]

  private static func messages(in text: String) -> [ChatMessage] {
    var messages: [ChatMessage] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2, parts[1].first == " ", roles.contains(String(parts[0])) {
        messages.append(
          ChatMessage(role: String(parts[0]), content: String(parts[1].dropFirst())))
      } else if !messages.isEmpty {
        messages[messages.count - 1].content += "\n" + line
      }
    }
    return messages
  }
}
