/// Why a model could not be had from the hub. Each message says what to do.
package enum HubError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What is spelled as a name on the hub is none.
  case invalidName(String, problem: String)
  /// `HF_ENDPOINT` or `HF_TOKEN` can't be used.
  case invalidSetting(String)
  /// The repository has nothing that was asked for, or more than one.
  case noChoice(String, problem: String, files: [String])
  /// No such repository, revision or file.
  case notFound(String)
  /// The repository is gated or private.
  case refused(page: String, hasToken: Bool)
  /// Too many requests.
  case busy(host: String, seconds: Int?)
  /// The hub's own failure, or a status that is none of its.
  case failed(host: String, status: Int)
  /// It can't be reached, or broke off.
  case connection(host: String, problem: String, isLasting: Bool)
  /// It sent something that is not what was asked for.
  case badAnswer(String)
  /// What was fetched is not what the hub's list says.
  case damaged(file: String, problem: String)
  /// There is no room for it here.
  case noRoom(path: String, neededBytes: Int, freeBytes: Int)
  /// A file can't be written here.
  case unwritable(String)

  package var description: String {
    switch self {
    case .invalidName(let name, let problem):
      "'\(name.prefix(300))' is no model's name such as hf:OWNER/REPO:Q4_K_M: \(problem)"
    case .invalidSetting(let problem): problem
    case .noChoice(let name, let problem, let files):
      "\(name): \(problem)" + (files.isEmpty ? "" : "\n  " + files.joined(separator: "\n  "))
    case .notFound(let what): "the hub has no \(what)"
    case .refused(let page, true):
      "the hub refuses it to this token; its terms may have to be accepted at \(page)"
    case .refused(let page, false):
      "the hub refuses it without a token, or it is not there: see \(page), and put a token in HF_TOKEN"
    case .busy(let host, let seconds):
      "\(host) takes no more requests for now"
        + (seconds.map { "; it says to ask again in \($0) s" } ?? "")
    case .failed(let host, let status): "\(host) answered with status \(status)"
    case .connection(let host, let problem, _): "\(host): \(problem)"
    case .badAnswer(let problem): "what the hub sent cannot be used: \(problem)"
    case .damaged(let file, let problem):
      "\(file) is not what the hub's list says, and was removed: \(problem)"
    case .noRoom(let path, let needed, let free):
      "\(path) has room for \(free / 1_000_000) MB, and \(needed / 1_000_000) MB are needed"
    case .unwritable(let problem): problem
    }
  }

  /// Longest time that the hub may ask to be waited.
  static let longestRest = 60

  /// How long to wait before another attempt, after so many that failed; nil where it would go no better.
  func rest(after failures: Int) -> Duration? {
    guard failures <= 3 else { return nil }
    let usual = 1 << failures
    switch self {
    case .busy(_, let seconds):
      let rest = max(seconds ?? usual, 1)
      return rest <= Self.longestRest ? .seconds(rest) : nil
    case .failed(_, let status): return status >= 500 ? .seconds(usual) : nil
    case .connection(_, _, let isLasting): return isLasting ? nil : .seconds(usual)
    default: return nil
    }
  }
}
