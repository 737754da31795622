import Kernels

/// What adapters need to know of the decoder that they will be used with. Adapters are made from
/// it on any thread while the decoder runs.
package final class AdapterTarget: Sendable {
  /// Outputs and inputs of a linear map.
  struct Shape: Sendable {
    let outputs: Int
    let inputs: Int
  }

  let configuration: DecoderConfiguration
  let precision: WeightMatrix.Precision
  /// Whether it is known which tokens a bypass is for (`DecoderOptions.markedTokens`).
  let marksTokens: Bool
  /// The linear maps that can be adapted, a layer.
  let shapes: [[AdaptedModule: Shape]]

  init(
    configuration: DecoderConfiguration, precision: WeightMatrix.Precision, layers: [DecoderLayer],
    marksTokens: Bool
  ) {
    self.marksTokens = marksTokens
    self.configuration = configuration
    self.precision = precision
    shapes = layers.map { layer in
      var shapes: [AdaptedModule: Shape] = [:]
      for module in AdaptedModule.allCases {
        let projection =
          layer.attention?.projection(module) ?? layer.feedForward?.projection(module)
        guard let matrix = projection?.matrix else { continue }
        shapes[module] = Shape(outputs: matrix.outputs, inputs: matrix.inputs)
      }
      return shapes
    }
  }

  /// Where output `index` of a checkpoint's module lies in the base's own matrix. Of some
  /// families the rows of queries and keys were permuted when the base was made.
  func place(ofOutput index: Int, _ module: AdaptedModule) -> Int {
    guard module == .query || module == .key, configuration.permutesHeads else {
      return index
    }
    let half = configuration.headDim / 2
    let inHead = index % configuration.headDim
    return index - inHead + 2 * (inHead % half) + inHead / half
  }

  /// Whether runs of so many outputs are the same outputs in the checkpoint and in the base's matrix.
  func keepsOrder(_ module: AdaptedModule, blocks: Int) -> Bool {
    guard module == .query || module == .key, configuration.permutesHeads else {
      return true
    }
    return blocks.isMultiple(of: configuration.headDim)
  }
}
