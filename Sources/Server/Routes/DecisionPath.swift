/// How callers write a decision's id.
enum DecisionPath {
  /// The id alone: OpenAI's and Anthropic's replies have it behind a word.
  static func id(_ text: String) -> String {
    for prefix in ["chatcmpl-", "cmpl-", "resp_", "msg_", "req_"] where text.hasPrefix(prefix) {
      return String(text.dropFirst(prefix.count))
    }
    return text
  }
}
