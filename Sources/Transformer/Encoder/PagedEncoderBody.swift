import Kernels

/// An encoder's layers as matrices of any precision, which run everywhere, with keys and values in pages.
final class PagedEncoderBody: EncoderBody, @unchecked Sendable {
  // Unchecked: one pass at a time, and its barriers order the workers.

  let configuration: EncoderConfiguration
  let embeddings: EncoderEmbeddings
  let layers: [EncoderLayer]
  let attention: Attention
  let batch: EncoderBatch

  let layout: KVLayout
  let hidden: FloatBuffer  // (rows, width), the residual stream
  /// The residual stream as the products behind a norm take it. For the values of attention, where
  /// weights are quantised, what rounding left of each row follows as a row of its own: int8
  /// activations there cost more of the embedding's direction than all other roundings together.
  /// // (copies x rows, width)
  let normed: Activations
  /// Rows of `normed` for each row of the pass.
  let copies: Int
  let query: FloatBuffer  // (rows, width)
  let key: FloatBuffer
  let value: FloatBuffer
  let attended: Activations
  let inner: FloatBuffer
  let activated: Activations
  /// One layer's pages: layers come one after the other, so they share them.
  private let pages: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private let pageMemory: FloatBuffer

  init(
    configuration: EncoderConfiguration, prefix: String, embeddings: EncoderEmbeddings,
    loader: WeightLoader, workers: Int, maximumRows: Int
  ) throws {
    self.configuration = configuration
    self.embeddings = embeddings
    var layers: [EncoderLayer] = []
    for index in 0..<configuration.layerCount {
      layers.append(
        try EncoderLayer(prefix: prefix + "encoder.layer.\(index).", configuration, loader))
    }
    self.layers = layers
    let precision = loader.precision
    batch = EncoderBatch(maximumRows: maximumRows, roomUnit: KVLayout.positions)
    let rows = batch.maximumRows
    let width = configuration.width
    layout = try KVLayout(
      keyValueHeads: configuration.headCount, headDim: configuration.headDim,
      elementType: precision == .float ? .f32 : .f16)
    attention = try Attention(
      layout: layout, heads: configuration.headCount, scale: configuration.attentionScale,
      workers: workers)
    hidden = try FloatBuffer(rows: rows, width: width)
    copies = precision == .quantized ? 2 : 1
    normed = try Activations(maxRows: rows * copies, width: width, precision: precision)
    query = try FloatBuffer(rows: rows, width: width)
    key = try FloatBuffer(rows: rows, width: width)
    value = try FloatBuffer(rows: rows, width: width)
    attended = try Activations(maxRows: rows, width: width, precision: precision)
    inner = try FloatBuffer(rows: rows, width: configuration.feedForwardWidth)
    activated = try Activations(
      maxRows: rows, width: configuration.feedForwardWidth, precision: precision)
    let pageCount = batch.room / KVLayout.positions
    pageMemory = try FloatBuffer(rows: pageCount, width: (layout.bytesPerPage + 63) / 64 * 16)
    pages = .allocate(capacity: pageCount)
    for page in 0..<pageCount {
      (pages + page).initialize(to: UnsafeMutableRawPointer(pageMemory.row(page)))
    }
  }

  deinit { pages.deallocate() }

  func pages(of text: EncoderBatch.Text) -> UnsafePointer<UnsafeMutableRawPointer> {
    UnsafePointer(pages + text.place / KVLayout.positions)
  }
}
