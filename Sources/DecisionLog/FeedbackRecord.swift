import GRDB

/// One row of `feedback`: what a caller thought of an answer.
package struct FeedbackRecord: Codable, Equatable, Sendable {
  package var decisionID: String
  package var timeMilliseconds: Int64
  /// -1 (bad) to 1 (good).
  package var score: Double
  package var comment: String?
  /// The prompt's embedding, where prompts are kept: of the encoder that ``encoder`` names.
  package var embedding: HalfPrecisionVector?
  package var encoder: String?

  package enum CodingKeys: String, CodingKey {
    case decisionID = "decision_id"
    case timeMilliseconds = "time_ms"
    case score, comment, embedding, encoder
  }

  package static let maximumCommentBytes = 10_000

  package init(
    decisionID: String, timeMilliseconds: Int64, score: Double, comment: String? = nil,
    embedding: HalfPrecisionVector? = nil, encoder: String? = nil
  ) throws(DecisionLogError) {
    guard score.isFinite, (-1...1).contains(score) else {
      throw .invalidRecord(field: "score", value: "\(score)", expected: "a number from -1 to 1")
    }
    if let comment, comment.utf8.count > Self.maximumCommentBytes {
      throw .invalidRecord(
        field: "comment", value: "\(comment.utf8.count) bytes",
        expected: "at most \(Self.maximumCommentBytes)")
    }
    self.decisionID = decisionID
    self.timeMilliseconds = timeMilliseconds
    self.score = score
    self.comment = comment
    self.embedding = embedding
    self.encoder = encoder
  }
}

extension FeedbackRecord: FetchableRecord, PersistableRecord {
  package static var databaseTableName: String { "feedback" }
}
