/// SmolLM3: Llama, of whose layers every fourth knows no positions (NoPE, arXiv 2501.18795).
package enum SmolLM3: DecoderFamily {
  package static let architecture = "smollm3"

  /// Every so many layers one rotates nothing. GGUF files don't say; a checkpoint's configuration
  /// that says otherwise is refused.
  static let unrotatedPattern = 4

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .interleaved)
    for index in configuration.layers.indices
    where (index + 1).isMultiple(of: unrotatedPattern) {
      configuration.layers[index].rotary.isOn = false
    }
    return try configuration.validated()
  }
}
