extension DecoderConfiguration {
  /// What a sequence keeps beside keys and values; nil for models without such layers.
  var recurrentState: RecurrentState.Shape? {
    let count = layers.count { $0.isRecurrent }
    guard count > 0 else { return nil }
    if let deltaNet {
      return .init(
        layerCount: count, stateCount: deltaNet.stateCount, historyCount: deltaNet.historyCount)
    }
    return shortConvolution.map {
      .init(layerCount: count, stateCount: 0, historyCount: $0.historyCount)
    }
  }
}
