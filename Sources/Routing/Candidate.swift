/// An expert as the objective sees it: its card, what was measured, and whether it can run now.
package struct Candidate: Equatable, Sendable {
  package var card: ExpertCard
  package var statistics: ExpertStatistics
  /// Nil where the expert can run; otherwise why not (a missing file, an endpoint that is down).
  package var unavailable: String?
  /// How long its model has to be loaded first; 0 where it is.
  package var loadMilliseconds: Double
  /// Whether it gave the conversation's last answer; nil where there is none, or nobody knows who gave it.
  package var gaveLastAnswer: Bool?

  package init(
    card: ExpertCard, statistics: ExpertStatistics = ExpertStatistics(),
    unavailable: String? = nil, loadMilliseconds: Double = 0, gaveLastAnswer: Bool? = nil
  ) {
    self.card = card
    self.statistics = statistics
    self.unavailable = unavailable
    self.loadMilliseconds = loadMilliseconds
    self.gaveLastAnswer = gaveLastAnswer
  }

  /// Tokens this expert is expected to answer with, measured or from the card, cut at the limit.
  package func expectedOutputTokens(limit: Int?) -> Double {
    let mean = statistics.outputTokens ?? card.meanOutputTokens ?? Self.defaultOutputTokens
    return limit.map { min(mean, Double(max(0, $0))) } ?? mean
  }

  /// The length taken for an expert of which nothing is known.
  package static let defaultOutputTokens = 128.0
}
