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

/// A prompt as a router sees it: its sentence embedding and a few numbers about its text.
package struct RouterInput: Equatable, Sendable {
  /// From the frozen sentence encoder. // (dimension)
  package var embedding: [Float]
  package var features: TextFeatures

  package init(embedding: [Float], features: TextFeatures) {
    self.embedding = embedding
    self.features = features
  }

  package init(embedding: [Float], text: String) {
    self.init(embedding: embedding, features: TextFeatures(text))
  }
}

/// Predicts every expert's loss on a prompt.
package protocol LossPredictor: Sendable {
  var strategy: RoutingStrategy { get }
  /// The experts it was trained on.
  var experts: [String] { get }
  /// One prediction for each of ``experts``, in their order.
  func predict(_ input: RouterInput) throws(RoutingError) -> [LossPrediction]
}
