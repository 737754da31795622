import Grammar
import Transformer

/// A prompt to be continued.
package struct GenerationRequest: Sendable {
  package var promptTokens: [Int32]
  /// What enters the model instead of some of the prompt's tokens, in order: images.
  package var embeddings: [EmbeddingSpan] = []
  /// What it took to make them.
  package var embeddingMilliseconds: Double?
  package var parameters: SamplingParameters
  /// What is added to the model's linear maps for this request; nil for the model alone.
  package var adapter: Adapter?
  /// What is asked of the model's token-level gates. Requests that ask alike share what was
  /// computed for equal beginnings, so that a seed is only given where a gate draws.
  package var gating: GateRequest
  /// Texts that end the answer besides those of the parameters, by how the model's chats are laid out.
  /// The limit on stop strings is for what clients send, and does not count these.
  package var layoutStops: [String] = []
  /// How calls of functions stand in this model's text; nil where none were offered.
  package var toolCallStyle: ToolCallStyle?
  /// How the model's thinking is told from its answer; nil where it does not think.
  package var reasoning: ReasoningPlan?
  /// Which tokens keep to the parameters' format; nil without one. It goes on with this request's answer, and is
  /// for no other.
  package var constraint: TokenConstraint?

  package init(
    promptTokens: [Int32], parameters: SamplingParameters, adapter: Adapter? = nil,
    gating: GateRequest = GateRequest()
  ) {
    self.promptTokens = promptTokens
    self.parameters = parameters
    self.adapter = adapter
    self.gating = gating
  }
}
