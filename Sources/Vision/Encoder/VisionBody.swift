import Kernels
import Transformer

/// A vision transformer's weights, and the buffers that one tile goes through.
final class VisionBody: @unchecked Sendable {
  // Unchecked: one tile at a time, and the passes' barriers order the workers.

  let configuration: VisionConfiguration
  let embedding: PatchEmbedding
  let layers: [VisionLayer]
  let finalNorm: LayerNorm
  let connector: VisionConnector

  /// Rows of one pass, where it can be some of all.
  let slices: [Range<Int>]
  let attention: Attention
  private let layout: KVLayout
  let patches: Activations  // (patches, patchWidth)
  let hidden: FloatBuffer  // (patches, width), the residual stream
  /// What a norm makes of the residual stream, as the products behind take it.
  let normed: Activations  // (patches, width)
  let query: FloatBuffer  // (patches, width)
  let key: FloatBuffer
  let value: FloatBuffer
  let attended: Activations
  let inner: FloatBuffer  // (rows of a pass, feedForwardWidth)
  let activated: Activations
  /// One layer's pages: layers come one after the other, so they share them.
  let pages: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private let pageMemory: FloatBuffer

  init(
    _ configuration: VisionConfiguration, _ loader: WeightLoader, workers: Int, pairsPerPass: Int
  ) throws {
    self.configuration = configuration
    embedding = try PatchEmbedding(configuration, loader)
    var layers: [VisionLayer] = []
    for index in 0..<configuration.layerCount {
      layers.append(try VisionLayer(index, configuration, loader))
    }
    self.layers = layers
    let width = configuration.width
    finalNorm = try LayerNorm("v.post_ln", width: width, loader)
    connector = try VisionConnector(configuration, loader)

    let precision = loader.precision
    let rows = configuration.patchCount
    let slice = min(rows, max(8, pairsPerPass / rows / 8 * 8))
    slices = stride(from: 0, to: rows, by: slice).map { $0..<min($0 + slice, rows) }
    layout = try KVLayout(
      keyValueHeads: configuration.headCount, headDim: configuration.headDim,
      elementType: precision == .float ? .f32 : .f16)
    attention = try Attention(
      layout: layout, heads: configuration.headCount, scale: configuration.attentionScale,
      workers: workers)
    patches = try Activations(maxRows: rows, width: configuration.patchWidth, precision: .float)
    hidden = try FloatBuffer(rows: rows, width: width)
    normed = try Activations(maxRows: rows, width: width, precision: precision)
    query = try FloatBuffer(rows: rows, width: width)
    key = try FloatBuffer(rows: rows, width: width)
    value = try FloatBuffer(rows: rows, width: width)
    attended = try Activations(maxRows: rows, width: width, precision: precision)
    inner = try FloatBuffer(rows: slice, width: configuration.feedForwardWidth)
    activated = try Activations(
      maxRows: slice, width: configuration.feedForwardWidth, precision: precision)
    let pageCount = (rows + KVLayout.positions - 1) / KVLayout.positions
    pageMemory = try FloatBuffer(rows: pageCount, width: (layout.bytesPerPage + 63) / 64 * 16)
    pages = .allocate(capacity: pageCount)
    for page in 0..<pageCount {
      (pages + page).initialize(to: UnsafeMutableRawPointer(pageMemory.row(page)))
    }
  }

  deinit { pages.deallocate() }

  /// Puts keys and values of these rows into the pages.
  func store(_ rows: Range<Int>) {
    guard !rows.isEmpty else { return }
    layout.store(
      keys: key.row(rows.lowerBound), values: value.row(rows.lowerBound),
      stride: configuration.width, pages: pages, positions: rows)
  }
}
