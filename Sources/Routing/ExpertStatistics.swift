import Foundation

/// What has been measured of an expert while it ran: exponential moving averages.
package struct ExpertStatistics: Codable, Equatable, Sendable {
  /// Share of a new value in the average once there are enough of them.
  package static let smoothing = 0.1

  package private(set) var answers: Int
  package private(set) var firstTokenMilliseconds: Double?
  /// Of the prompts that the first tokens followed: reading those is most of that time.
  package private(set) var promptTokens: Double?
  package private(set) var perTokenMilliseconds: Double?
  /// Of answers that came to their end, and of those that a limit cut off beyond the mean: what a limit cuts
  /// off before tells the limit's length.
  package private(set) var outputTokens: Double?
  package private(set) var readingEase: Double?

  enum CodingKeys: String, CodingKey {
    case answers
    case firstTokenMilliseconds = "first_token_milliseconds"
    case promptTokens = "prompt_tokens"
    case perTokenMilliseconds = "per_token_milliseconds"
    case outputTokens = "output_tokens"
    case readingEase = "reading_ease"
  }

  package init() {
    answers = 0
  }

  /// Restores averages that were stored; values that are not finite or negative are dropped.
  package init(
    answers: Int, firstTokenMilliseconds: Double?, promptTokens: Double? = nil,
    perTokenMilliseconds: Double?, outputTokens: Double?, readingEase: Double?
  ) {
    let sane = { (value: Double?) in value.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil } }
    self.answers = max(0, answers)
    self.firstTokenMilliseconds = sane(firstTokenMilliseconds)
    self.promptTokens = sane(promptTokens)
    self.perTokenMilliseconds = sane(perTokenMilliseconds)
    self.outputTokens = sane(outputTokens)
    self.readingEase = sane(readingEase)
  }

  /// Takes one finished answer in.
  ///
  /// - Parameters:
  ///   - totalMilliseconds: from the request's arrival at the expert to the last token.
  ///   - isWhole: whether the expert itself ended it, and no limit.
  ///   - text: the answer, for its reading ease; nil leaves that average alone.
  package mutating func record(
    firstTokenMilliseconds first: Double, promptTokens prompt: Int,
    totalMilliseconds total: Double, outputTokens tokens: Int, isWhole: Bool, text: String?
  ) {
    guard first.isFinite, total.isFinite, first >= 0, total >= first, tokens >= 0, prompt >= 0
    else { return }
    let share = max(Self.smoothing, 1 / Double(answers + 1))
    answers = answers == .max ? answers : answers + 1
    let mix = { (old: Double?, new: Double) in old.map { $0 + share * (new - $0) } ?? new }
    // What was measured before prompts were counted is not of these prompts.
    firstTokenMilliseconds = promptTokens == nil ? first : mix(firstTokenMilliseconds, first)
    promptTokens = mix(promptTokens, Double(prompt))
    if tokens > 1 {
      perTokenMilliseconds = mix(perTokenMilliseconds, (total - first) / Double(tokens - 1))
    }
    if isWhole || Double(tokens) > outputTokens ?? .infinity {
      outputTokens = mix(outputTokens, Double(tokens))
    }
    if let text, let ease = ReadingEase.score(text) { readingEase = mix(readingEase, ease) }
  }

  /// Milliseconds to the first token of an answer to so many tokens; nil where none was measured.
  func firstTokenMilliseconds(promptTokens prompt: Int) -> Double? {
    guard let first = firstTokenMilliseconds, let mean = promptTokens, mean >= 1 else {
      return firstTokenMilliseconds
    }
    return first * Double(max(1, prompt)) / mean
  }
}
