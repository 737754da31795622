import Generation
import Synchronization
import Thalamus

/// The answers to one request, of which there may be several: `n` to a prompt, and several prompts.
struct SeveralAnswers: Sendable {
  /// What is asked of the router, and of the expert.
  struct Request: Sendable {
    var routing: RoutingRequest
    var parameters: SamplingParameters
    var scoresPrompt = false
  }

  let answers: [Answer]
  /// How many in a row are to one prompt.
  let countOfAPrompt: Int

  /// Lets each prompt be answered so many times, all at once. Each answer is a decision of its own, and in the log;
  /// where one can't be begun, none is.
  ///
  /// - Parameter count: At least 1.
  init(to prompts: [Request], count: Int, by service: ThalamusService) async throws {
    countOfAPrompt = count
    let requests = prompts.flatMap { request in
      (0..<count).map { index in
        var request = request
        // One seed for all would give one answer several times.
        request.parameters.seed = request.parameters.seed.map { $0 &+ UInt64(index) }
        return request
      }
    }
    answers = try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
      for (index, request) in requests.enumerated() {
        group.addTask {
          (
            index,
            try await service.answer(
              request.routing, parameters: request.parameters, scoresPrompt: request.scoresPrompt)
          )
        }
      }
      var answers: [(Int, Answer)] = []
      for try await answer in group { answers.append(answer) }
      return answers.sorted { $0.0 < $1.0 }.map(\.1)
    }
  }

  /// The decision that the reply as a whole is named after.
  var first: Answer { answers[0] }

  /// The id of an answer's own decision, where it has to be told apart from the reply's.
  func decision(_ index: Int) -> String? {
    answers.count > 1 ? answers[index].decision.id : nil
  }

  /// What all answers took.
  func usage(_ parts: [UsageBody]) -> UsageBody {
    parts.count == 1 ? parts[0] : UsageBody(parts, answersOfAPrompt: countOfAPrompt)
  }
}

/// What streamed answers took, as each of them ends.
final class StreamedUsage: Sendable {
  private let parts = Mutex<[Int: UsageBody]>([:])

  func note(_ usage: UsageBody, of index: Int) { parts.withLock { $0[index] = usage } }

  /// In the answers' order; of one that failed nothing.
  var all: [UsageBody] { parts.withLock { $0.sorted { $0.key < $1.key }.map(\.value) } }
}
