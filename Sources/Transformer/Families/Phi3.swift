import Foundation

/// Phi 3, 3.5 and 4: Llama whose queries, keys and values are one tensor, and whose feed-forward gate
/// and up another; some rotate a part of each head only, and some stretch the context by LongRoPE
/// (arXiv 2402.13753).
package enum Phi3: DecoderFamily {
  package static let architecture = "phi3"

  /// LongRoPE's factor on rotated numbers, for a context that was stretched.
  static func magnitude(context: Int, original: Int) -> Double {
    let factor = Double(context) / Double(original)
    return factor <= 1 ? 1 : (1 + log(factor) / log(Double(original))).squareRoot()
  }

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .halves, rotatesParts: true)
    if let magnitude = try metadata.optionalDouble("rope.scaling.attn_factor"), magnitude != 0 {
      configuration.rotaryMagnitude = magnitude
    }
    configuration.shortContextLength = try metadata.optionalInt(
      "rope.scaling.original_context_length")
    // A window as long as the context hides nothing, and 0 is the converter's word for none.
    if let window = try metadata.optionalInt("attention.sliding_window"), window != 0,
      window < configuration.contextLength
    {
      for index in configuration.layers.indices {
        configuration.layers[index].slidingWindow = window
      }
    }
    return try configuration.validated()
  }
}
