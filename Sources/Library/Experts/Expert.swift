import Generation
import Kernels
import Routing

/// The tokens of a prompt, and what a model says of each, given those before it.
package struct PromptScores: Sendable {
  package let tokens: [Int32]
  /// Natural log-probabilities; nil for a first token that nothing precedes.
  package let logprobs: [Float?]
  /// The most probable tokens at each place, as many as were asked for.
  package let alternatives: [[TokenLogprob]]

  package init(tokens: [Int32], logprobs: [Float?], alternatives: [[TokenLogprob]]) {
    self.tokens = tokens
    self.logprobs = logprobs
    self.alternatives = alternatives
  }
}

/// A model that can answer a prompt, wherever it runs.
package protocol Expert: AnyObject, Sendable {
  var card: ExpertCard { get }

  /// Begins an answer. Throws at once what is wrong with the request; leaving the stream, or
  /// cancelling the task that reads it, stops the expert within one token.
  func answer(
    _ input: ExpertInput, parameters: SamplingParameters
  ) async throws -> GenerationStream

  /// The bytes of a token's text, for whoever asked for log-probabilities; nil where they are not known here.
  func bytes(of token: Int32) -> [UInt8]?

  /// What the expert makes of the input's own tokens, without the one that is added to begin a text.
  ///
  /// - Parameter alternatives: How many of the most probable tokens at each place are told too.
  func scorePrompt(_ input: ExpertInput, alternatives: Int) async throws -> PromptScores

  /// The loss in bits per byte: of the reference answer given the prompt where there is one, else of the prompt.
  func loss(prompt: String, answer: String?) async throws -> Double

  /// Tokens that the expert would read for an answer, as it counts them: its template is among them, and what it is told
  /// of functions.
  func promptTokenCount(_ input: ExpertInput, parameters: SamplingParameters) throws -> Int

  /// Whether it answers somebody, or somebody waits for it; of a model that several experts share, any of them.
  var isWorking: Bool { get }

  /// Bytes that its model takes in this process, with what its requests have cached.
  var residentBytes: Int { get }

  /// How its model holds keys and values; nil where it runs elsewhere.
  var keyValueType: KVLayout.ElementType? { get }

  /// Ends the expert's work.
  /// - Parameter finishing: whether running answers are finished first, or stopped.
  func shutDown(finishing: Bool) async
}

extension Expert {
  package var keyValueType: KVLayout.ElementType? { nil }
}
