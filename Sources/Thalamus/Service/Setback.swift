import Generation
import Library
import Routing

/// Why an expert that was chosen for a prompt did not answer it: the next decision for the prompt knows.
struct Setback: Sendable {
  let expert: String
  let reason: Reason

  enum Reason: Sendable {
    /// It counted the prompt's tokens, and has no room for them.
    case tooLong(promptTokens: Int, contextLength: Int)
    /// Its endpoint gave no answer.
    case noAnswer(problem: String)
  }

  /// Nil for an error that any other expert would meet too, or that is the server's own.
  init?(_ error: any Error, by expert: String) {
    self.expert = expert
    switch error {
    case GenerationError.promptTooLong(let promptTokens, let contextLength):
      reason = .tooLong(promptTokens: promptTokens, contextLength: contextLength)
    case let error as RemoteError:
      reason = .noAnswer(problem: error.problem)
    default: return nil
    }
  }
}

extension [Setback] {
  /// The most tokens that an expert counted in the prompt; nil where none counted.
  var promptTokens: Int? {
    compactMap {
      if case .tooLong(let promptTokens, _) = $0.reason { promptTokens } else { nil }
    }.max()
  }

  /// An expert as the objective is to see it after these.
  func applied(to candidate: Candidate) -> Candidate {
    var candidate = candidate
    for setback in self where setback.expert == candidate.card.id {
      switch setback.reason {
      case .tooLong(_, let contextLength):
        // What an expert said itself goes before its card.
        candidate.card.contextLength = contextLength
      case .noAnswer(let problem): candidate.unavailable = problem
      }
    }
    return candidate
  }
}
