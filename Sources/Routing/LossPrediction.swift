/// What a router expects of one expert on one prompt.
package struct LossPrediction: Equatable, Sendable, Codable {
  package var expert: String
  /// Predicted loss, bits per UTF-8 byte.
  package var lossBitsPerByte: Double
  /// One standard error of a new outcome, bits per byte: the noise of outcomes and the distance of
  /// the prompt from what was trained on.
  package var standardError: Double

  package init(expert: String, lossBitsPerByte: Double, standardError: Double) {
    self.expert = expert
    self.lossBitsPerByte = lossBitsPerByte
    self.standardError = standardError
  }

  enum CodingKeys: String, CodingKey {
    case expert
    case lossBitsPerByte = "loss_bits_per_byte"
    case standardError = "standard_error"
  }
}

/// A prompt as a router sees it: its sentence embedding, a few numbers about its text, and perhaps how
/// many experts a mixture's gates wanted for it.
package struct RouterInput: Equatable, Sendable {
  /// From the frozen sentence encoder. // (dimension)
  package var embedding: [Float]
  package var features: TextFeatures
  /// Mean number of experts that a mixture's gates made active for a token of the prompt; nil where
  /// it was not asked for, or could not be had.
  package var activeExperts: Float?

  package init(embedding: [Float], features: TextFeatures, activeExperts: Float? = nil) {
    self.embedding = embedding
    self.features = features
    self.activeExperts = activeExperts
  }

  package init(embedding: [Float], text: String, activeExperts: Float? = nil) {
    self.init(
      embedding: embedding, features: TextFeatures(text), activeExperts: activeExperts)
  }
}

/// Predicts every expert's loss on a prompt.
package protocol LossPredictor: Sendable {
  var strategy: RoutingStrategy { get }
  /// The experts it was trained on.
  var experts: [String] { get }
  /// Where prompts are compared.
  var space: EmbeddingSpace { get }
  /// One prediction for each of ``experts``, in their order.
  func predict(_ input: RouterInput) throws(RoutingError) -> [LossPrediction]
}
