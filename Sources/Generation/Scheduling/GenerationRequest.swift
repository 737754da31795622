/// A prompt to be continued.
package struct GenerationRequest: Sendable {
  package var promptTokens: [Int32]
  package var parameters: SamplingParameters

  package init(promptTokens: [Int32], parameters: SamplingParameters) {
    self.promptTokens = promptTokens
    self.parameters = parameters
  }
}
