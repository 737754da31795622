extension DecoderConfiguration {
  /// What a sequence keeps beside keys and values; nil for models without such layers.
  var recurrentState: RecurrentState.Shape? {
    let count = layers.count { $0.isRecurrent }
    let shapes: [(any RecurrentLayerShape)?] = [deltaNet, mamba, shortConvolution]
    guard count > 0, let shape = shapes.lazy.compactMap({ $0 }).first else { return nil }
    return .init(layer: shape, layerCount: count)
  }

  /// What families share whose files say of each layer how many heads of keys it has, and 0 where it keeps a state.
  /// Not validated yet.
  /// - Parameters:
  ///   - rotatesParts: Whether the family may rotate the first numbers of each head only.
  ///   - feedForwardWidth: Where the family has read it; nil for the file's number.
  init(
    listingHeads metadata: ArchitectureMetadata, vocabularySize: Int, rotaryStyle: RotaryStyle,
    rotatesParts: Bool = false, feedForwardWidth: Int? = nil
  ) throws(ModelError) {
    let heads = try metadata.ints("attention.head_count_kv", layers: metadata.layerCount())
    guard let largest = heads.max(), largest > 0 else {
      throw .unsupported(
        key: "\(metadata.architecture).attention.head_count_kv", value: "no layer with attention")
    }
    try self.init(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: rotaryStyle,
      rotatesParts: rotatesParts, keyValueHeadCount: largest, feedForwardWidth: feedForwardWidth)
    for (index, count) in heads.enumerated() {
      layers[index].isRecurrent = count == 0
      if count != 0, count != largest { layers[index].keyValueHeadCount = count }
    }
  }
}
