import Kernels
import Transformer

/// A vision transformer's weights.
final class VisionBody: @unchecked Sendable {
  // Unchecked: one tile at a time.

  let configuration: VisionConfiguration
  let embedding: PatchEmbedding
  let layers: [VisionLayer]
  let finalNorm: LayerNorm
  let connector: VisionConnector
  /// What is made of a layer's output besides, by the layer's index, in the order of a row's parts (DeepStack).
  let taps: [(layer: Int, merger: PatchMerger)]
  let attention: Attention
  let rotor: RotaryEmbedding?
  let layout: KVLayout
  private let precision: WeightMatrix.Precision
  private let pairsPerPass: Int
  /// Of a model whose tiles are all alike.
  private let kept: VisionBuffers?

  init(
    _ configuration: VisionConfiguration, _ loader: WeightLoader, workers: Int, pairsPerPass: Int
  ) throws {
    self.configuration = configuration
    self.pairsPerPass = pairsPerPass
    precision = loader.precision
    embedding = try PatchEmbedding(configuration, loader)
    var layers: [VisionLayer] = []
    for index in 0..<configuration.layerCount {
      layers.append(try VisionLayer(index, configuration, loader))
    }
    self.layers = layers
    finalNorm = try LayerNorm("v.post_ln", width: configuration.width, loader)
    let connector = try VisionConnector(configuration, loader)
    self.connector = connector
    var taps: [(Int, PatchMerger)] = []
    for layer in configuration.connector.deepLayers {
      let merger = try PatchMerger(tapping: layer, configuration, loader)
      guard merger.outputWidth == connector.outputWidth else {
        throw ModelError.wrongShape(
          tensor: "v.deepstack.\(layer).fc2.weight",
          shape: [merger.outputWidth, configuration.connectorWidth],
          expected: [connector.outputWidth, configuration.connectorWidth])
      }
      taps.append((layer, merger))
    }
    self.taps = taps
    layout = try KVLayout(
      keyValueHeads: configuration.headCount, headDim: configuration.headDim,
      elementType: precision == .float ? .f32 : .f16)
    attention = try Attention(
      layout: layout, heads: configuration.headCount, scale: configuration.attentionScale,
      workers: workers)
    rotor = try configuration.axialRotary?.rotor()
    kept =
      configuration.preprocessing.area == nil
      ? try VisionBuffers(
        configuration, grid: configuration.tileGrid, layout: layout, precision: precision,
        pairsPerPass: pairsPerPass) : nil
  }

  /// Numbers of a row: for the language model's first layer, and for those behind that are given more.
  var rowWidth: Int { connector.outputWidth * (1 + taps.count) }

  /// Bytes that the matrices take.
  var byteCount: Int {
    layers.reduce(connector.byteCount) { $0 + $1.byteCount }
      + taps.reduce(0) { $0 + $1.merger.byteCount }
  }

  /// Memory for a tile. That of images of any size is not kept: it is a multiple of what an image's rows take.
  func buffers(for grid: PatchGrid) throws(KernelError) -> VisionBuffers {
    if let kept, kept.grid == grid { return kept }
    return try VisionBuffers(
      configuration, grid: grid, layout: layout, precision: precision, pairsPerPass: pairsPerPass)
  }
}
