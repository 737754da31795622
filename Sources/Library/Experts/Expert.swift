import Generation
import Routing

/// A model that can answer a prompt, wherever it runs.
package protocol Expert: AnyObject, Sendable {
  var card: ExpertCard { get }

  /// Begins an answer. Throws at once what is wrong with the request; leaving the stream, or
  /// cancelling the task that reads it, stops the expert within one token.
  func answer(
    _ input: ExpertInput, parameters: SamplingParameters
  ) async throws -> GenerationStream

  /// Tokens of the input as this expert counts them, template included.
  func promptTokenCount(_ input: ExpertInput) throws -> Int

  /// Ends the expert's work.
  /// - Parameter finishing: whether running answers are finished first, or stopped.
  func shutDown(finishing: Bool) async
}
