import Transformer

/// A prompt to be continued.
package struct GenerationRequest: Sendable {
  package var promptTokens: [Int32]
  package var parameters: SamplingParameters
  /// What is added to the model's linear maps for this request; nil for the model alone.
  package var adapter: Adapter?

  package init(
    promptTokens: [Int32], parameters: SamplingParameters, adapter: Adapter? = nil
  ) {
    self.promptTokens = promptTokens
    self.parameters = parameters
    self.adapter = adapter
  }
}
