/// Mixtral: Llama with experts. GGUF files call it "llama" too; the number of experts tells them
/// apart.
///
/// The gate is a softmax over the chosen experts' scores.
extension Llama {
  static func mixture(
    from metadata: ArchitectureMetadata, _ configuration: DecoderConfiguration
  ) throws(ModelError) -> DecoderConfiguration.Mixture? {
    guard let count = try metadata.optionalInt("expert_count"), count != 0 else { return nil }
    return try metadata.mixture(
      expertWidth: configuration.feedForwardWidth, normalisesWeights: true)
  }
}
