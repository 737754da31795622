import Kernels

extension MixtureFeedForward {
  /// The mixture of a layer of today's families: a linear gate in `ffn_gate_inp`, softmax over all
  /// experts or what the configuration says, the best few of them, and a shared expert where the
  /// configuration has one.
  /// - Parameters:
  ///   - gateScale: Factors on what the gate looks at; nil is 1. // (width)
  ///   - expertScales: A factor on the weight of each expert; nil is 1.
  init(
    _ layer: Int, prefix: String, _ configuration: DecoderConfiguration, _ loader: WeightLoader,
    gateScale: FloatBuffer? = nil, expertScales: [Float]? = nil
  ) throws(ModelError) {
    guard let mixture = configuration.mixture else {
      throw .missingKey("\(configuration.architecture).expert_count")
    }
    let width = configuration.width
    let gate = try Self.gate(
      layer, prefix: prefix, mixture, width: width, inputScale: gateScale, loader)
    let inner = mixture.expertWidth
    var experts =
      mixture.areSlices
      ? try loader.slices(prefix: prefix, count: mixture.expertCount, width: width, inner: inner)
      : try loader.experts(
        prefix: prefix, count: mixture.expertCount, width: width, inner: inner,
        areGated: configuration.activation.isGated)
    for (index, scale) in (expertScales ?? []).enumerated() where index < experts.count {
      experts[index].scale = scale
    }
    try self.init(
      layer: layer, gate: gate, experts: experts,
      shared: mixture.sharedWidth > 0
        ? loader.sharedExpert(
          prefix: prefix, width: width, inner: mixture.sharedWidth,
          isGated: configuration.activation.isGated) : nil,
      function: configuration.activation.function)
  }

  private static func gate(
    _ layer: Int, prefix: String, _ mixture: DecoderConfiguration.Mixture, width: Int,
    inputScale: FloatBuffer?, _ loader: WeightLoader
  ) throws(ModelError) -> Gate {
    let routed = mixture.expertCount - (mixture.gate?.unroutedExperts ?? 0)
    guard routed > 0 else {
      throw .invalidValue(
        key: "gate.shared_experts", value: "\(mixture.gate?.sharedExperts ?? 0)",
        expected: "fewer than leave one of \(mixture.expertCount) experts to choose")
    }
    if let gate = mixture.gate, gate.scores == .fixedRandom || gate.scores == .random {
      return try gate.gate(expertCount: routed, width: width, layer: layer)
    }
    // Kept as floats: a choice that rounding turns is an error of the whole row.
    let scores = try loader.floatMatrix(
      prefix + "ffn_gate_inp.weight", rows: mixture.expertCount, width: width)
    if let inputScale {
      for index in 0..<scores.count {
        scores.pointer[index] *= inputScale.pointer[index % width]
      }
    }
    if let gate = mixture.gate {
      // A file has a row for each expert; shared ones and the bypass are the last.
      let matrix = try scores.prefix(rows: routed)
      // Cosines know of no bias, and a selection by mass of none either.
      let bias =
        gate.scores == .linear
        ? try loader.optionalFloats(prefix + "ffn_gate_inp.bias", count: mixture.expertCount) : nil
      return try gate.gate(
        expertCount: routed, width: width, layer: layer, matrix: matrix,
        bias: bias.map { Array($0.prefix(routed)) })
    }
    return try Gate(
      expertCount: mixture.expertCount, width: width,
      scores: .linear(
        weight: scores,
        bias: loader.optionalFloats(prefix + "ffn_gate_inp.bias", count: mixture.expertCount)),
      probability: mixture.probability, selection: mixture.selection,
      selectionBias: loader.optionalFloats(
        prefix + "exp_probs_b.bias", count: mixture.expertCount),
      weighting: mixture.weighting ?? (mixture.normalisesWeights ? .sumToOne : .raw),
      scale: mixture.weightScale)
  }
}

extension DecoderConfiguration {
  /// A layer's second half, where it is dense or a mixture as the configuration says.
  func feedForward(
    _ layer: Int, prefix: String, _ loader: WeightLoader
  ) throws(ModelError) -> any FeedForward {
    if let mixture, layer >= mixture.leadingDenseLayers,
      (layer + 1).isMultiple(of: mixture.layerStep)
    {
      return try MixtureFeedForward(layer, prefix: prefix, self, loader)
    }
    return try DenseFeedForward(layer, prefix: prefix, self, loader)
  }
}

extension DecoderConfiguration.Activation {
  /// The kernels' name for it.
  var function: ActivationFunction {
    switch self {
    case .silu: .silu
    case .geluTanh: .geluTanh
    case .clampedSwiGLU: .clampedSwiGLU
    case .squaredReLU: .squaredReLU
    }
  }
}

extension DecoderConfiguration.Mixture {
  /// Which experts a token keeps.
  fileprivate var selection: Gate.Selection {
    guard let groups else { return .topK(expertsUsed) }
    return .groupLimitedTopK(
      k: expertsUsed, groups: groups.count, keptGroups: groups.used, groupScore: groups.score)
  }
}

extension FloatBuffer {
  /// The first rows, copied if they are not all.
  fileprivate func prefix(rows count: Int) throws(ModelError) -> FloatBuffer {
    guard count < rows else { return self }
    do {
      let copy = try FloatBuffer(rows: count, width: width)
      copy.pointer.update(from: pointer, count: count * width)
      return copy
    } catch {
      throw ModelError.outOfMemory(bytes: count * width * 4)
    }
  }
}
