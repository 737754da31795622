/// The first Gemma.
///
/// Against Llama: heads wider than the residual stream's share, embeddings are scaled by the root of the width, and
/// the feed-forward gate is a GELU. GGUF files hold norm weights with Gemma's "+ 1" already added.
package enum Gemma: DecoderFamily {
  package static let architecture = "gemma"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .halves)
    configuration.activation = .geluTanh
    configuration.embeddingScale = Float(max(configuration.width, 1)).squareRoot()
    return try configuration.validated()
  }
}
