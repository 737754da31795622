/// Granite 3 and later, dense: Llama with factors of its own on embeddings, attention, what blocks add
/// to the residual stream, and logits.
package enum Granite: DecoderFamily {
  package static let architecture = "granite"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .interleaved)
    try configuration.readGraniteFactors(metadata)
    return try configuration.validated()
  }
}

extension DecoderConfiguration {
  /// Granite's factors, those of the file in place of Llama's.
  mutating func readGraniteFactors(_ metadata: ArchitectureMetadata) throws(ModelError) {
    if let scale = try metadata.optionalDouble("attention.scale"), scale != 0 {
      attentionScale = Float(scale)
    }
    if let scale = try metadata.optionalDouble("embedding_scale"), scale != 0 {
      embeddingScale = Float(scale)
    }
    if let scale = try metadata.optionalDouble("residual_scale"), scale != 0 {
      residualScale = Float(scale)
    }
    // The file has what logits are divided by.
    logitScale = Float(1 / (try metadata.double("logit_scale")))
  }
}
