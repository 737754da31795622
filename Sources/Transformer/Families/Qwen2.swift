/// Qwen 2 and 2.5, and what was distilled into them: Llama with biases on queries, keys and values.
package enum Qwen2: DecoderFamily {
  package static let architecture = "qwen2"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .halves
    ).validated()
  }
}
