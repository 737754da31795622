import DecisionLog
import Routing

extension PromptRow {
  /// Prompts that were asked, as routers are trained on them: what the router looks at of each, without flags.
  ///
  /// - Returns: And how many are left out, since the log has no more than their beginning, or has a chat whose messages
  ///   can't be told apart.
  package static func logged(_ prompts: [LoggedPrompt]) -> (rows: [PromptRow], leftOut: Int) {
    let rows = prompts.compactMap { logged -> PromptRow? in
      guard logged.promptText.utf8.count >= logged.promptBytes,
        let text = PreparedPrompt.logged(logged.promptText, sha256: logged.promptSHA256)?
          .routingText, !text.isEmpty
      else { return nil }
      var row = PromptRow(
        id: "logged:" + logged.promptSHA256.prefix(16), domain: "logged", prompt: text)
      if logged.isLocalOnly { row.localOnly = true }
      return row
    }
    return (rows, prompts.count - rows.count)
  }
}
