import Kernels

extension MixtureFeedForward {
  /// The mixture of a layer of today's families: a linear gate in `ffn_gate_inp`, softmax over all
  /// experts, the best few of them, and a shared expert where the configuration has one.
  init(
    _ layer: Int, prefix: String, _ configuration: DecoderConfiguration, _ loader: WeightLoader
  ) throws(ModelError) {
    guard let mixture = configuration.mixture else {
      throw .missingKey("\(configuration.architecture).expert_count")
    }
    let width = configuration.width
    // Kept as floats: a choice that rounding turns is an error of the whole row.
    let scores = try loader.floatMatrix(
      prefix + "ffn_gate_inp.weight", rows: mixture.expertCount, width: width)
    let gate = try Gate(
      expertCount: mixture.expertCount, width: width, scores: .linear(weight: scores),
      probability: .softmax, selection: .topK(mixture.expertsUsed),
      weighting: mixture.normalisesWeights ? .sumToOne : .raw,
      scale: mixture.weightScale)
    try self.init(
      layer: layer, gate: gate,
      experts: loader.experts(
        prefix: prefix, count: mixture.expertCount, width: width, inner: mixture.expertWidth),
      shared: mixture.sharedWidth > 0
        ? loader.sharedExpert(prefix: prefix, width: width, inner: mixture.sharedWidth) : nil,
      function: configuration.activation.function)
  }
}

extension DecoderConfiguration.Activation {
  /// The kernels' name for it.
  var function: ActivationFunction {
    switch self {
    case .silu: .silu
    case .geluTanh: .geluTanh
    case .clampedSwiGLU: .clampedSwiGLU
    }
  }
}
