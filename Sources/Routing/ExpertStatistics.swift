import Foundation

/// What has been measured of an expert while it ran: exponential moving averages.
package struct ExpertStatistics: Codable, Equatable, Sendable {
  /// Share of a new value in the average once there are enough of them.
  package static let smoothing = 0.1

  package private(set) var answers: Int
  package private(set) var firstTokenMilliseconds: Double?
  /// Of that time, what reading the prompt took, and how many tokens there were to read: those that were
  /// known from before not counted.
  package private(set) var prefillMilliseconds: Double?
  package private(set) var readTokens: Double?
  package private(set) var perTokenMilliseconds: Double?
  /// Of answers that came to their end, and of those that a limit cut off beyond what was expected: what a
  /// limit cuts off before tells the limit's length.
  package private(set) var outputTokens: Double?
  package private(set) var readingEase: Double?

  enum CodingKeys: String, CodingKey {
    case answers
    case firstTokenMilliseconds = "first_token_milliseconds"
    case prefillMilliseconds = "prefill_milliseconds"
    case readTokens = "read_tokens"
    case perTokenMilliseconds = "per_token_milliseconds"
    case outputTokens = "output_tokens"
    case readingEase = "reading_ease"
  }

  package init() {
    answers = 0
  }

  /// Restores averages that were stored; values that are not finite or negative are dropped.
  package init(
    answers: Int, firstTokenMilliseconds: Double?, prefillMilliseconds: Double? = nil,
    readTokens: Double? = nil, perTokenMilliseconds: Double?, outputTokens: Double?,
    readingEase: Double?
  ) {
    let sane = { (value: Double?) in value.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil } }
    self.answers = max(0, answers)
    self.firstTokenMilliseconds = sane(firstTokenMilliseconds)
    self.prefillMilliseconds = sane(prefillMilliseconds)
    self.readTokens = sane(readTokens)
    self.perTokenMilliseconds = sane(perTokenMilliseconds)
    self.outputTokens = sane(outputTokens)
    self.readingEase = sane(readingEase)
  }

  /// Takes one finished answer in.
  ///
  /// - Parameters:
  ///   - prefillMilliseconds: of the first token's, what reading took.
  ///   - readTokens: tokens that were read.
  ///   - totalMilliseconds: from the request's arrival at the expert to the last token.
  ///   - isWhole: whether the expert itself ended it, and no limit.
  ///   - text: the answer, for its reading ease; nil leaves that average alone.
  package mutating func record(
    firstTokenMilliseconds first: Double, prefillMilliseconds prefill: Double,
    readTokens read: Int, totalMilliseconds total: Double, outputTokens tokens: Int, isWhole: Bool,
    text: String?
  ) {
    guard first.isFinite, total.isFinite, prefill.isFinite, first >= 0, total >= first,
      (0...first).contains(prefill), tokens >= 0, read >= 0
    else { return }
    let share = max(Self.smoothing, 1 / Double(answers + 1))
    answers = answers == .max ? answers : answers + 1
    let mix = { (old: Double?, new: Double) in old.map { $0 + share * (new - $0) } ?? new }
    // What was measured before reading was counted is of other prompts.
    firstTokenMilliseconds = readTokens == nil ? first : mix(firstTokenMilliseconds, first)
    prefillMilliseconds = mix(prefillMilliseconds, prefill)
    readTokens = mix(readTokens, Double(read))
    if tokens > 1 {
      perTokenMilliseconds = mix(perTokenMilliseconds, (total - first) / Double(tokens - 1))
    }
    if isWhole || Double(tokens) > outputTokens ?? Candidate.defaultOutputTokens {
      outputTokens = mix(outputTokens, Double(tokens))
    }
    if let text, let ease = ReadingEase.score(text) { readingEase = mix(readingEase, ease) }
  }

  /// Milliseconds to the first token of an answer to so many tokens; nil where none was measured.
  func firstTokenMilliseconds(promptTokens prompt: Int) -> Double? {
    guard let first = firstTokenMilliseconds, let prefill = prefillMilliseconds,
      let read = readTokens, read >= 1
    else { return firstTokenMilliseconds }
    return max(0, first - prefill) + prefill * Double(max(1, prompt)) / read
  }
}
