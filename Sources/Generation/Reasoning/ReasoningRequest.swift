import JSON

/// What a request asks of a model's thinking. A model that does not think takes no notice.
package struct ReasoningRequest: Sendable, Equatable {
  /// How much it is to think.
  package enum Effort: String, Sendable, CaseIterable {
    case none, minimal, low, medium, high, xhigh
  }

  package var effort: Effort?
  /// Whether it is to think; nil leaves that to its chat template.
  package var isEnabled: Bool?
  /// Whether the caller expects none, without having asked for none: a model here that can answers at once, and
  /// no endpoint is told, since many refuse what they don't know.
  package var isUnasked = false
  /// Tokens after which its thinking is ended; nil lets it think to its own end.
  package var budgetTokens: Int?
  /// Further variables of its chat template, by name.
  package var templateVariables: [String: JSONValue] = [:]

  /// Names that a template has from the server alone.
  package static let ownNames = [
    "messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token",
  ]

  package init(
    effort: Effort? = nil, isEnabled: Bool? = nil, budgetTokens: Int? = nil,
    templateVariables: [String: JSONValue] = [:]
  ) {
    self.effort = effort
    self.isEnabled = isEnabled
    self.budgetTokens = budgetTokens
    self.templateVariables = templateVariables
  }

  /// No thinking at all.
  package static let off = ReasoningRequest(isEnabled: false)

  /// None expected.
  package static var unasked: ReasoningRequest {
    var request = ReasoningRequest()
    request.isUnasked = true
    return request
  }

  /// Whether the model is to answer at once.
  package var isOff: Bool {
    switch templateVariables["enable_thinking"] {
    case .bool(let isEnabled)?: !isEnabled
    default: isEnabled.map { !$0 } ?? (isUnasked || effort == Effort.none || budgetTokens == 0)
    }
  }

  /// What the chat template is told; what the caller named itself wins.
  package var variables: [String: JSONValue] {
    var variables: [String: JSONValue] = [:]
    if let effort { variables["reasoning_effort"] = .string(effort.rawValue) }
    if isOff || isEnabled == true {
      // Qwen's and SmolLM's word, and DeepSeek's and Granite's.
      variables["enable_thinking"] = .bool(!isOff)
      variables["thinking"] = .bool(!isOff)
    }
    return variables.merging(templateVariables) { $1 }
  }
}
