import DecisionLog

/// The body of `POST /feedback`.
package struct FeedbackBody: Decodable, Sendable {
  /// Of the answer that is judged.
  package let decision: String
  /// -1 (bad) to 1 (good).
  package let score: Double
  package let comment: String?

  private enum CodingKeys: String, CodingKey, CaseIterable { case decision, score, comment }

  package init(from decoder: any Decoder) throws {
    try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue))
    let values = try decoder.container(keyedBy: CodingKeys.self)
    decision = DecisionPath.id(try values.decode(String.self, forKey: .decision))
    score = try values.decode(Double.self, forKey: .score)
    guard (-1...1).contains(score) else {
      throw APIError.badRequest("'score' must be from -1 (bad) to 1 (good)", param: "score")
    }
    comment = try values.decodeIfPresent(String.self, forKey: .comment)
    if let comment, comment.utf8.count > FeedbackRecord.maximumCommentBytes {
      throw APIError.badRequest(
        "'comment' has \(comment.utf8.count) bytes; at most \(FeedbackRecord.maximumCommentBytes) are kept",
        param: "comment")
    }
  }
}
