import GRDB

/// One row of `decisions`: everything a decision was made from, and what came of it.
///
/// The columns ending in JSON hold what the service gives, as text; ``DecisionLog`` looks into
/// ``expertsJSON`` only for its aggregates over logged decisions.
package struct DecisionRecord: Codable, Equatable, Sendable, Identifiable {
  /// How far an answer has come.
  package enum Status: String, Codable, CaseIterable, Sendable {
    /// Decided; the answer has not ended (or `generate` was false: see ``decided``).
    case pending
    /// Only the decision was asked for.
    case decided
    case completed
    case failed
    case cancelled
    /// The server ended before the answer did.
    case interrupted
  }

  /// From ``DecisionIDGenerator``: sorts by time.
  package var id: String
  /// Milliseconds since 1970.
  package var timeMilliseconds: Int64
  package var promptText: String?
  /// Hexadecimal, of the text without flags.
  package var promptSHA256: String?
  package var promptBytes: Int
  package var expert: String
  package var strategy: String
  package var routerVersion: String?
  /// The weights in force and where each came from.
  package var flagsJSON: String
  package var constraintsJSON: String
  /// For every expert its prediction and terms, or why it was not eligible: an array of objects
  /// with `expert`, `predicted_loss` and `goals.<goal>.raw` and `.cost`.
  package var expertsJSON: String
  package var decisionMilliseconds: Double
  /// The request's path, such as `/route`.
  package var endpoint: String?
  /// Name of the key that it came with; nil where it had none with a name.
  package var keyName: String?

  package var status: Status
  package var promptTokens: Int?
  package var completionTokens: Int?
  package var firstTokenMilliseconds: Double?
  package var totalMilliseconds: Double?
  package var finishReason: String?
  package var error: String?
  package var outputCharacters: Int?
  /// By the tokens and the card's prices; nil where the expert has none.
  package var costUSD: Double?

  package enum CodingKeys: String, CodingKey, CaseIterable {
    case id
    case timeMilliseconds = "time_ms"
    case promptText = "prompt_text"
    case promptSHA256 = "prompt_sha256"
    case promptBytes = "prompt_bytes"
    case expert, strategy
    case routerVersion = "router_version"
    case flagsJSON = "flags_json"
    case constraintsJSON = "constraints_json"
    case expertsJSON = "experts_json"
    case decisionMilliseconds = "decision_ms"
    case endpoint
    case keyName = "key_name"
    case status
    case promptTokens = "prompt_tokens"
    case completionTokens = "completion_tokens"
    case firstTokenMilliseconds = "first_token_ms"
    case totalMilliseconds = "total_ms"
    case finishReason = "finish_reason"
    case error
    case outputCharacters = "output_characters"
    case costUSD = "cost_usd"
  }

  package init(
    id: String, timeMilliseconds: Int64, promptText: String?, promptSHA256: String?,
    promptBytes: Int, expert: String, strategy: String, routerVersion: String? = nil,
    flagsJSON: String = "[]", constraintsJSON: String = "[]", expertsJSON: String = "[]",
    decisionMilliseconds: Double, endpoint: String? = nil, keyName: String? = nil,
    status: Status = .pending, promptTokens: Int? = nil
  ) {
    self.id = id
    self.timeMilliseconds = timeMilliseconds
    self.promptText = promptText
    self.promptSHA256 = promptSHA256
    self.promptBytes = promptBytes
    self.expert = expert
    self.strategy = strategy
    self.routerVersion = routerVersion
    self.flagsJSON = flagsJSON
    self.constraintsJSON = constraintsJSON
    self.expertsJSON = expertsJSON
    self.decisionMilliseconds = decisionMilliseconds
    self.endpoint = endpoint
    self.keyName = keyName
    self.status = status
    self.promptTokens = promptTokens
  }

  /// With no more of the prompt than the policy allows, and of that at most
  /// ``maximumPromptBytes``.
  package func redacted(by policy: PromptPolicy) -> DecisionRecord {
    var record = self
    record.promptText =
      policy == .store ? promptText?.storable(maximumBytes: Self.maximumPromptBytes) : nil
    if policy == .omit { record.promptSHA256 = nil }
    return record
  }

  /// Of a longer prompt the beginning is kept: a few prompts of megabytes would fill the queue of
  /// what waits to be written, and others' decisions would be refused. ``promptBytes`` and
  /// ``promptSHA256`` are the whole prompt's.
  package static let maximumPromptBytes = 64 << 10
  /// Of a longer prompt a list of decisions shows the beginning.
  package static let maximumListedCharacters = 1000

  /// The columns as a list shows them.
  static let listedColumns = CodingKeys.allCases.map { key in
    key == .promptText
      ? "substr(prompt_text, 1, \(maximumListedCharacters)) AS prompt_text" : key.rawValue
  }.joined(separator: ", ")
}

extension DecisionRecord: FetchableRecord, PersistableRecord {
  package static var databaseTableName: String { "decisions" }
}

/// What came of a decision, written when its answer ends.
package struct DecisionCompletion: Equatable, Sendable {
  package var id: String
  package var status: DecisionRecord.Status
  package var promptTokens: Int?
  package var completionTokens: Int?
  package var firstTokenMilliseconds: Double?
  package var totalMilliseconds: Double?
  package var finishReason: String?
  package var error: String?
  package var outputCharacters: Int?
  package var costUSD: Double?

  package init(
    id: String, status: DecisionRecord.Status, promptTokens: Int? = nil,
    completionTokens: Int? = nil, firstTokenMilliseconds: Double? = nil,
    totalMilliseconds: Double? = nil, finishReason: String? = nil, error: String? = nil,
    outputCharacters: Int? = nil, costUSD: Double? = nil
  ) {
    self.id = id
    self.status = status
    self.promptTokens = promptTokens
    self.completionTokens = completionTokens
    self.firstTokenMilliseconds = firstTokenMilliseconds
    self.totalMilliseconds = totalMilliseconds
    self.finishReason = finishReason
    self.error = error
    self.outputCharacters = outputCharacters
    self.costUSD = costUSD
  }
}
