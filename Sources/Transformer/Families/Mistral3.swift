/// Ministral 3: Llama with YaRN, and queries that grow with their position.
package enum Mistral3: DecoderFamily {
  package static let architecture = "mistral3"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .interleaved)
    // Both of YaRN's factors on scores are given, and alike: they cancel out.
    if let logarithm = try metadata.optionalDouble("rope.scaling.yarn_log_multiplier"),
      logarithm != 0, try metadata.optionalDouble("rope.scaling.yarn_attn_factor") == nil
    {
      configuration.yarn?.magnitude = 1
    }
    if let rate = try metadata.optionalDouble("attention.temperature_scale"), rate != 0 {
      configuration.queryGrowth = QueryGrowth(
        rate: rate, step: try metadata.int("rope.scaling.original_context_length"))
    }
    return try configuration.validated()
  }
}
