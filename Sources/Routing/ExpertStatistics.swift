import Foundation

/// What has been measured of an expert while it ran: exponential moving averages.
package struct ExpertStatistics: Codable, Equatable, Sendable {
  /// Share of a new value in the average once there are enough of them.
  package static let smoothing = 0.1

  package private(set) var answers: Int
  package private(set) var firstTokenMilliseconds: Double?
  package private(set) var perTokenMilliseconds: Double?
  package private(set) var outputTokens: Double?
  package private(set) var readingEase: Double?

  enum CodingKeys: String, CodingKey {
    case answers
    case firstTokenMilliseconds = "first_token_milliseconds"
    case perTokenMilliseconds = "per_token_milliseconds"
    case outputTokens = "output_tokens"
    case readingEase = "reading_ease"
  }

  package init() {
    answers = 0
  }

  /// Restores averages that were stored; values that are not finite or negative are dropped.
  package init(
    answers: Int, firstTokenMilliseconds: Double?, perTokenMilliseconds: Double?,
    outputTokens: Double?, readingEase: Double?
  ) {
    let sane = { (value: Double?) in value.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil } }
    self.answers = max(0, answers)
    self.firstTokenMilliseconds = sane(firstTokenMilliseconds)
    self.perTokenMilliseconds = sane(perTokenMilliseconds)
    self.outputTokens = sane(outputTokens)
    self.readingEase = sane(readingEase)
  }

  /// Takes one finished answer in.
  ///
  /// - Parameters:
  ///   - totalMilliseconds: from the request's arrival at the expert to the last token.
  ///   - text: the answer, for its reading ease; nil leaves that average alone.
  package mutating func record(
    firstTokenMilliseconds first: Double, totalMilliseconds total: Double, outputTokens tokens: Int,
    text: String?
  ) {
    guard first.isFinite, total.isFinite, first >= 0, total >= first, tokens >= 0 else { return }
    let share = max(Self.smoothing, 1 / Double(answers + 1))
    answers = answers == .max ? answers : answers + 1
    let mix = { (old: Double?, new: Double) in old.map { $0 + share * (new - $0) } ?? new }
    firstTokenMilliseconds = mix(firstTokenMilliseconds, first)
    if tokens > 1 {
      perTokenMilliseconds = mix(perTokenMilliseconds, (total - first) / Double(tokens - 1))
    }
    outputTokens = mix(outputTokens, Double(tokens))
    if let text, let ease = ReadingEase.score(text) { readingEase = mix(readingEase, ease) }
  }
}
