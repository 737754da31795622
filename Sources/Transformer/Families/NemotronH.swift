/// Nemotron-H and Nemotron Nano 2: each layer is one block alone behind a norm, Mamba-2, attention that knows no
/// positions, or a feed-forward block without a gate.
package enum NemotronH: DecoderFamily {
  package static let architecture = "nemotron_h"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    let widths = try metadata.ints("feed_forward_length", layers: metadata.layerCount())
    let largest = widths.max() ?? 0
    var configuration = try DecoderConfiguration(
      listingHeads: metadata, vocabularySize: vocabularySize, rotaryStyle: .halves,
      rotatesParts: true, feedForwardWidth: largest)
    configuration.activation = .squaredReLU
    // Nothing is rotated, whatever a file says of it.
    configuration.rotatedDim = nil
    try configuration.dropGuessingLayers(metadata)
    for index in configuration.layers.indices {
      configuration.layers[index].rotary.isOn = false
      guard widths[index] != 0 else { continue }
      configuration.layers[index].hasMixer = false
      configuration.layers[index].isRecurrent = false
      if widths[index] != largest {
        configuration.layers[index].feedForwardWidth = widths[index]
      }
    }
    guard configuration.layers.contains(where: { $0.hasMixer && !$0.isRecurrent }) else {
      throw .unsupported(
        key: "\(architecture).attention.head_count_kv", value: "no layer with attention")
    }
    try configuration.readMamba(metadata)
    if try metadata.optionalInt("expert_count") ?? 0 != 0 {
      configuration.mixture = try mixture(metadata)
    }
    return try configuration.validated()
  }

  /// DeepSeek-V3's mixture; the width of its shared expert stands by itself.
  private static func mixture(
    _ metadata: ArchitectureMetadata
  ) throws(ModelError) -> DecoderConfiguration.Mixture {
    if let width = try metadata.optionalInt("moe_latent_size"), width != 0 {
      throw .unsupported(key: "\(metadata.architecture).moe_latent_size", value: "\(width)")
    }
    var mixture = try metadata.laterMixture(
      probability: .sigmoid, normalisesWeights: true, sharedCount: 0)
    mixture.sharedWidth = try metadata.optionalInt("expert_shared_feed_forward_length") ?? 0
    return mixture
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    try DecoderLayer(single: index, configuration, loader)
  }
}

extension DecoderLayer {
  /// A layer of one block alone behind a norm: it mixes positions, or it is a feed-forward block.
  init(
    single index: Int, _ configuration: DecoderConfiguration, _ loader: WeightLoader
  ) throws(ModelError) {
    let prefix = "blk.\(index)."
    let norm = try loader.vector(prefix + "attn_norm.weight", count: configuration.width)
    if configuration.layers[index].hasMixer {
      self.init(
        attentionNorm: norm, attention: try configuration.mixer(index, prefix: prefix, loader),
        feedForwardNorm: nil, feedForward: nil)
    } else {
      self.init(
        attentionNorm: nil, attention: nil, feedForwardNorm: norm,
        feedForward: try configuration.feedForward(index, prefix: prefix, loader))
    }
  }
}

/// The same with mixtures of experts for feed-forward blocks (Nemotron 3 Nano).
package enum NemotronHMoE: DecoderFamily {
  package static let architecture = "nemotron_h_moe"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    try NemotronH.configuration(from: metadata, vocabularySize: vocabularySize)
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    try DecoderLayer(single: index, configuration, loader)
  }
}
