extension DecoderConfiguration {
  /// What a sequence keeps beside keys and values; nil for models without such layers.
  var recurrentState: RecurrentState.Shape? {
    let count = layers.count { $0.isRecurrent }
    let shapes: [(any RecurrentLayerShape)?] = [deltaNet, mamba, shortConvolution]
    guard count > 0, let shape = shapes.lazy.compactMap({ $0 }).first else { return nil }
    return .init(layer: shape, layerCount: count)
  }
}
