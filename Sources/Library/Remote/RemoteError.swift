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
  /// The endpoint failed a moment ago and is left alone for a while.
  case resting(expert: String, problem: String)

  package var description: String {
    switch self {
    case .unreachable(let expert, let problem): "expert \(expert): \(problem)"
    case .timedOut(let expert, let problem): "expert \(expert): \(problem)"
    case .keyRefused(let expert, let status):
      "expert \(expert): its endpoint refuses the key (HTTP \(status))"
    case .busy(let expert, let seconds):
      "expert \(expert): its endpoint takes no more requests"
        + (seconds.map { " for \($0) s" } ?? " for now")
    case .refused(let expert, let status, let message, _):
      "expert \(expert): its endpoint refuses the request (HTTP \(status)): \(message)"
    case .failed(let expert, let status, let message):
      "expert \(expert): its endpoint failed (HTTP \(status)): \(message)"
    case .malformed(let expert, let problem):
      "expert \(expert): its endpoint sent no proper answer: \(problem)"
    case .resting(let expert, let problem): "expert \(expert): \(problem)"
    }
  }
}
