import Kernels
import Transformer

/// What a tile goes through: memory for the patches of one grid.
final class VisionBuffers: @unchecked Sendable {
  // Unchecked: one tile at a time, and the passes' barriers order the workers.

  let grid: PatchGrid
  /// Rows of one pass, where it can be some of all.
  let slices: [Range<Int>]
  /// The same of rows of embeddings.
  let rowSlices: [Range<Int>]
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
  /// Cosines and sines of each patch's place; nil for models that rotate nothing. // (patches, headDim)
  let rotations: FloatBuffer?
  /// What the connector's maps take. // (rows of embeddings, connectorWidth)
  let joined: Activations
  /// Of connectors with a layer between. // (rows of embeddings, connectorWidth)
  let merged: FloatBuffer?
  /// One layer's pages: layers come one after the other, so they share them.
  let pages: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private let pageMemory: FloatBuffer

  init(
    _ configuration: VisionConfiguration, grid: PatchGrid, layout: KVLayout,
    precision: WeightMatrix.Precision, pairsPerPass: Int
  ) throws(KernelError) {
    self.grid = grid
    let (rows, width) = (grid.count, configuration.width)
    let slice = min(rows, max(8, pairsPerPass / rows / 8 * 8))
    slices = Self.slices(of: rows, by: slice)
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
    rotations = try configuration.axialRotary.map { axial throws(KernelError) in
      try axial.rotations(of: grid)
    }
    let embeddings = configuration.rowGrid(of: grid)
    let (count, connectorWidth) = (
      embeddings.lines * embeddings.columns, configuration.connectorWidth
    )
    // Of other connectors it is one small map.
    let area = configuration.connector.factor * configuration.connector.factor
    rowSlices = Self.slices(
      of: count, by: configuration.connector.isDeep ? max(8, slice / area / 8 * 8) : count)
    joined = try Activations(maxRows: count, width: connectorWidth, precision: precision)
    merged =
      configuration.connector.isDeep ? try FloatBuffer(rows: count, width: connectorWidth) : nil
    let pageCount = (rows + KVLayout.positions - 1) / KVLayout.positions
    pageMemory = try FloatBuffer(rows: pageCount, width: (layout.bytesPerPage + 63) / 64 * 16)
    pages = .allocate(capacity: pageCount)
    for page in 0..<pageCount {
      (pages + page).initialize(to: UnsafeMutableRawPointer(pageMemory.row(page)))
    }
  }

  private static func slices(of count: Int, by size: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
  }

  deinit { pages.deallocate() }
}
