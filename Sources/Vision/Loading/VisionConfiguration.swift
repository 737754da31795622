import Transformer

/// The sizes of a vision transformer, and how images come in and embeddings go out.
///
/// The transformer is SigLIP's (arXiv 2303.15343): a square image is cut into patches, each of which a linear map
/// and a learned position make a vector of; layers with a norm before each block, and full attention.
package struct VisionConfiguration: Sendable, Equatable {
  /// How patches become the language model's embeddings.
  package enum Connector: Sendable, Equatable {
    /// Squares of `factor` x `factor` patches are laid one behind the other, and mapped linearly (Idefics 3,
    /// arXiv 2408.12637, "pixel shuffle").
    case pixelShuffle(factor: Int)
    /// Squares of `kernel` x `kernel` patches are averaged, normalised and mapped linearly (Gemma 3,
    /// arXiv 2503.19786).
    case averagePool(kernel: Int)

    /// Patches along a side of what becomes one embedding.
    var factor: Int {
      switch self {
      case .pixelShuffle(let factor): factor
      case .averagePool(let kernel): kernel
      }
    }
  }

  var family: VisionFamily

  /// A tile's side, in pixels.
  package var imageSize: Int
  /// A patch's side, in pixels.
  package var patchSize: Int
  package var width: Int
  package var layerCount: Int
  package var headCount: Int
  package var feedForwardWidth: Int
  package var normEpsilon: Float
  package var connector: Connector
  package var preprocessing: ImagePreprocessing

  /// Patches along a side. What is left over at the right and below is not seen.
  var side: Int { imageSize / patchSize }
  /// Patches of a tile.
  var patchCount: Int { side * side }
  /// Numbers of a patch: channels, rows, columns.
  var patchWidth: Int { 3 * patchSize * patchSize }
  var headDim: Int { width / headCount }
  /// What scores are multiplied with.
  var attentionScale: Float { 1 / Float(headDim).squareRoot() }

  /// Rows of embeddings that a tile becomes.
  package var rowsPerTile: Int { rowsPerSide * rowsPerSide }
  var rowsPerSide: Int { side / connector.factor }

  /// Numbers that the connector's linear map takes for a row.
  var connectorWidth: Int {
    switch connector {
    case .pixelShuffle(let factor): width * factor * factor
    case .averagePool: width
    }
  }

  /// Largest values that a file may ask for. Far above every model that fits this kind of machine, and small
  /// enough that no product of sizes overflows.
  enum Limit {
    static let imageSize = 2048
    static let side = 96
    static let width = 1 << 13
    static let outputWidth = 1 << 16
    static let layerCount = 256
    static let feedForwardWidth = 1 << 15
  }

  /// Gives the configuration back if every value is one that can be run.
  func validated() throws(ModelError) -> VisionConfiguration {
    try check("image_size", imageSize, in: 8...Limit.imageSize)
    try check("patch_size", patchSize, in: 1...imageSize)
    try check("image_size / patch_size", side, in: 1...Limit.side)
    try check("hidden_size", width, in: 8...Limit.width)
    try check("num_hidden_layers", layerCount, in: 1...Limit.layerCount)
    try check("num_attention_heads", headCount, in: 1...width)
    try check("intermediate_size", feedForwardWidth, in: 8...Limit.feedForwardWidth)
    guard width.isMultiple(of: headCount), headDim.isMultiple(of: 8) else {
      throw .invalidValue(
        key: "num_attention_heads", value: "\(headCount)",
        expected: "a divisor of hidden_size \(width), heads a multiple of 8 wide")
    }
    guard feedForwardWidth.isMultiple(of: 8) else {
      throw .invalidValue(
        key: "intermediate_size", value: "\(feedForwardWidth)", expected: "a multiple of 8")
    }
    guard normEpsilon >= 0, normEpsilon < 1 else {
      throw .invalidValue(key: "layer_norm_eps", value: "\(normEpsilon)", expected: "0 to 1")
    }
    try check("scale_factor", connector.factor, in: 1...16)
    guard side.isMultiple(of: connector.factor) else {
      throw .invalidValue(
        key: "scale_factor", value: "\(connector.factor)",
        expected: "a divisor of \(side) patches a side")
    }
    try validatePreprocessing()
    return self
  }

  private func validatePreprocessing() throws(ModelError) {
    // Positions are learned for whole tiles of this size.
    guard preprocessing.tile == imageSize else {
      throw .unsupported(key: "max_image_size", value: "\(preprocessing.tile)")
    }
    if let longest = preprocessing.longestEdge {
      let most = min(ImagePreprocessing.longestSide, ImagePreprocessing.mostTiles * imageSize)
      try check("size.longest_edge", longest, in: 1...most)
    }
    let numbers = preprocessing.mean + preprocessing.deviation
    guard preprocessing.mean.count == 3, preprocessing.deviation.count == 3,
      numbers.allSatisfy(\.isFinite), preprocessing.deviation.allSatisfy({ $0 > 0 })
    else {
      throw .invalidValue(
        key: "image_mean, image_std", value: "\(numbers)", expected: "three numbers each")
    }
    guard preprocessing.rescale.isFinite, preprocessing.rescale > 0 else {
      throw .invalidValue(
        key: "rescale_factor", value: "\(preprocessing.rescale)", expected: "a number above 0")
    }
  }

  private func check(
    _ key: String, _ value: Int, in range: ClosedRange<Int>
  ) throws(ModelError) {
    guard range.contains(value) else {
      throw .invalidValue(
        key: key, value: "\(value)", expected: "\(range.lowerBound) to \(range.upperBound)")
    }
  }
}
