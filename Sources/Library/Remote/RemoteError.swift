/// Why a remote expert gave no answer, or not all of it.
package enum RemoteError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Nobody answers there, or the connection broke off.
  case unreachable(expert: String, problem: String)
  /// Nothing came for too long.
  case timedOut(expert: String, problem: String)
  /// The endpoint refuses our key, or has none: the operator's matter. What it says is not passed on, since some
  /// endpoints quote the key.
  case keyRefused(expert: String, status: Int)
  /// The endpoint asks for patience.
  case busy(expert: String, retryAfterSeconds: Int?)
  /// The endpoint refuses this request; `code` is its own word for why, where it has one.
  case refused(expert: String, status: Int, message: String, code: String?)
  /// The endpoint failed.
  case failed(expert: String, status: Int, message: String)
  /// What came is no answer.
  case malformed(expert: String, problem: String)
  /// What is asked of a remote expert has no meaning there; nothing was sent.
  case unsupported(expert: String, problem: String)
  /// The endpoint failed a moment ago and is left alone for a while.
  case resting(expert: String, problem: String)

  package var description: String { "expert \(expert): \(problem)" }

  /// Whose endpoint it is.
  package var expert: String {
    switch self {
    case .unreachable(let expert, _), .timedOut(let expert, _), .keyRefused(let expert, _),
      .busy(let expert, _), .refused(let expert, _, _, _), .failed(let expert, _, _),
      .malformed(let expert, _), .unsupported(let expert, _), .resting(let expert, _):
      expert
    }
  }

  /// What went wrong, where it is known with whom.
  package var problem: String {
    switch self {
    case .unreachable(_, let problem), .timedOut(_, let problem), .resting(_, let problem),
      .unsupported(_, let problem):
      problem
    case .keyRefused(_, let status): "its endpoint refuses the key (HTTP \(status))"
    case .busy(_, let seconds):
      "its endpoint takes no more requests" + (seconds.map { " for \($0) s" } ?? " for now")
    case .refused(_, let status, let message, _):
      "its endpoint refuses the request (HTTP \(status)): \(message)"
    case .failed(_, let status, let message): "its endpoint failed (HTTP \(status)): \(message)"
    case .malformed(_, let problem): "its endpoint sent no proper answer: \(problem)"
    }
  }
}
