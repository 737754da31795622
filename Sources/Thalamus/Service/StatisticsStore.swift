import Routing
import Synchronization

/// What has been measured of each expert since the start, and before it where the log knew.
final class StatisticsStore: Sendable {
  private let byExpert: Mutex<[String: ExpertStatistics]>

  init(_ initial: [String: ExpertStatistics] = [:]) {
    byExpert = Mutex(initial)
  }

  func of(_ expert: String) -> ExpertStatistics {
    byExpert.withLock { $0[expert] ?? ExpertStatistics() }
  }

  func record(
    _ expert: String, firstTokenMilliseconds: Double, prefillMilliseconds: Double,
    readTokens: Int, totalMilliseconds: Double, outputTokens: Int, isWhole: Bool, text: String
  ) {
    byExpert.withLock { all in
      all[expert, default: ExpertStatistics()].record(
        firstTokenMilliseconds: firstTokenMilliseconds,
        prefillMilliseconds: prefillMilliseconds, readTokens: readTokens,
        totalMilliseconds: totalMilliseconds, outputTokens: outputTokens, isWhole: isWhole,
        text: text)
    }
  }
}
