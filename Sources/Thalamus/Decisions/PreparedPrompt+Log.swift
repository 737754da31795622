import Routing
import Tokenization

extension PreparedPrompt {
  /// What the router looked at of a prompt that was logged; nil where that can't be told from what the log kept.
  ///
  /// The log has a chat as text, `role: content` message by message, so that a message with a line that looks like
  /// another's beginning is read as two. The hash tells whether it was read as it was written.
  ///
  /// - Parameters:
  ///   - text: The log's ``loggedText``, with nothing cut off.
  ///   - hash: SHA-256 of the text that is looked for, hex.
  package static func routingText(ofLogged text: String, sha256 hash: String) -> String? {
    let asPrompt = PreparedPrompt(.prompt(text)).routingText
    if SHA256.hex(of: asPrompt) == hash { return asPrompt }
    let asChat = PreparedPrompt(.messages(messages(in: text))).routingText
    return SHA256.hex(of: asChat) == hash ? asChat : nil
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
