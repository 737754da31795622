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
    /// Squares of `factor` x `factor` patches are laid one behind the other, and mapped through a layer; the same is
    /// done with what comes out of some layers before the last (Qwen3-VL, arXiv 2511.21631).
    case merger(factor: Int, deepLayers: [Int])

    /// Patches along a side of what becomes one embedding.
    var factor: Int {
      switch self {
      case .pixelShuffle(let factor): factor
      case .averagePool(let kernel): kernel
      case .merger(let factor, _): factor
      }
    }

    /// Layers whose output becomes a part of the rows too, from the first on.
    var deepLayers: [Int] {
      if case .merger(_, let layers) = self { layers } else { [] }
    }

    /// Whether there is a layer between its two maps.
    var isDeep: Bool {
      if case .merger = self { true } else { false }
    }
  }

  var family: VisionFamily

  /// The side, in pixels, of the square that positions are learned for: a tile's, where all are alike.
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

  /// Patches along a side of that square. What is left over at the right and below is not seen.
  var side: Int { imageSize / patchSize }
  /// Patches of a tile of that size.
  var tileGrid: PatchGrid {
    PatchGrid(of: ImageSize(width: imageSize, height: imageSize), patchSize: patchSize)
  }
  /// Numbers of a patch: channels, rows, columns.
  var patchWidth: Int { 3 * patchSize * patchSize }
  var headDim: Int { width / headCount }
  /// What scores are multiplied with.
  var attentionScale: Float { 1 / Float(headDim).squareRoot() }

  /// How patches' places enter attention; nil where they are learned alone.
  var axialRotary: AxialRotary? {
    family.rotaryBase.map { AxialRotary(headDim: headDim, base: $0) }
  }

  /// What patches become.
  func rowGrid(of grid: PatchGrid) -> EmbeddingSpan.Grid {
    EmbeddingSpan.Grid(
      lines: grid.rows / connector.factor, columns: grid.columns / connector.factor)
  }

  /// Rows of embeddings that a tile becomes, where all are alike.
  package var rowsPerTile: Int {
    let grid = rowGrid(of: tileGrid)
    return grid.lines * grid.columns
  }

  /// Numbers that the connector's linear map takes for a row.
  var connectorWidth: Int {
    switch connector {
    case .pixelShuffle(let factor), .merger(let factor, _): width * factor * factor
    case .averagePool: width
    }
  }

  /// Largest values that a file may ask for. Far above every model that fits this kind of machine, and small
  /// enough that no product of sizes overflows.
  enum Limit {
    static let imageSize = 2048
    static let side = 96
    static let pixels = 1 << 26
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
    guard family.rotaryBase == nil || headDim.isMultiple(of: 4) else {
      throw .unsupported(key: "hidden_size / num_attention_heads", value: "\(headDim)")
    }
    let deep = connector.deepLayers
    guard deep.allSatisfy({ (0..<layerCount).contains($0) }), Set(deep).count == deep.count else {
      throw .invalidValue(
        key: "deepstack_visual_indexes", value: "\(deep)",
        expected: "layers of \(layerCount), each once")
    }
    guard preprocessing.area != nil || side.isMultiple(of: connector.factor) else {
      throw .invalidValue(
        key: "scale_factor", value: "\(connector.factor)",
        expected: "a divisor of \(side) patches a side")
    }
    try validatePreprocessing()
    return self
  }

  private func validatePreprocessing() throws(ModelError) {
    // Positions are learned for whole tiles of this size.
    guard preprocessing.area != nil || preprocessing.tile == imageSize else {
      throw .unsupported(key: "max_image_size", value: "\(preprocessing.tile)")
    }
    if let area = preprocessing.area {
      try check("patch_size * merge_size", area.unit, in: 1...Limit.imageSize)
      guard area.unit == patchSize * connector.factor else {
        throw .invalidValue(
          key: "patch_size * merge_size", value: "\(area.unit)",
          expected: "\(patchSize * connector.factor), the transformer's")
      }
      try check("size.longest_edge", area.most, in: area.unit * area.unit...Limit.pixels)
      try check("size.shortest_edge", area.least, in: 1...area.most)
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
