import GRDB

/// One row of `expert_statistics`: moving averages of an expert, kept over restarts.
package struct ExpertStatisticsRecord: Codable, Equatable, Sendable {
  package var expert: String
  package var answers: Int
  package var firstTokenMilliseconds: Double?
  /// Of the first token's time, what reading the prompt took, and the tokens that were read.
  package var prefillMilliseconds: Double?
  package var readTokens: Double?
  package var perTokenMilliseconds: Double?
  package var outputTokens: Double?
  package var readingEase: Double?
  package var timeMilliseconds: Int64

  package enum CodingKeys: String, CodingKey {
    case expert, answers
    case firstTokenMilliseconds = "first_token_ms"
    case prefillMilliseconds = "prefill_ms"
    case readTokens = "read_tokens"
    case perTokenMilliseconds = "per_token_ms"
    case outputTokens = "output_tokens"
    case readingEase = "reading_ease"
    case timeMilliseconds = "time_ms"
  }

  package init(
    expert: String, answers: Int, firstTokenMilliseconds: Double?,
    prefillMilliseconds: Double? = nil,
    readTokens: Double? = nil, perTokenMilliseconds: Double?, outputTokens: Double?,
    readingEase: Double?,
    timeMilliseconds: Int64
  ) {
    self.expert = expert
    self.answers = answers
    self.firstTokenMilliseconds = firstTokenMilliseconds
    self.prefillMilliseconds = prefillMilliseconds
    self.readTokens = readTokens
    self.perTokenMilliseconds = perTokenMilliseconds
    self.outputTokens = outputTokens
    self.readingEase = readingEase
    self.timeMilliseconds = timeMilliseconds
  }
}

extension ExpertStatisticsRecord: FetchableRecord, PersistableRecord {
  package static var databaseTableName: String { "expert_statistics" }
  package static var persistenceConflictPolicy: PersistenceConflictPolicy {
    PersistenceConflictPolicy(insert: .replace, update: .replace)
  }
}
