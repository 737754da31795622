import Kernels

/// Where the rows of a pass stand to a model whose rotary positions have axes (M-RoPE).
///
/// The rows of an image stand at the lines and columns of a square that begins where the text before it ends, at one
/// time; what follows goes on behind the square's longer side, and so nearer than by the count of rows.
final class RotaryRows {
  private let axes: [RotaryAxes.Axis]
  /// A row's position, or below 0 where `rotations` has it. // (rows)
  private let positions: UnsafeMutablePointer<Int32>
  /// Cosines and sines of rows that stand elsewhere on each axis. // (rows, rotaryWidth)
  private let rotations: FloatBuffer
  private var count = 0
  private var table: RotaryEmbedding?

  /// nil for a model without axes, to which a row stands at its position.
  init?(_ configuration: DecoderConfiguration, rows: Int) throws(KernelError) {
    // Families with axes have one rotation for all layers.
    guard configuration.rotaries.count == 1, let axes = configuration.rotaryAxes?.pairs else {
      return nil
    }
    self.axes = axes
    rotations = try FloatBuffer(rows: rows, width: configuration.rotaryWidth)
    positions = .allocate(capacity: rows)
  }

  deinit { positions.deallocate() }

  /// - Parameter table: The rotation of all layers.
  func begin(_ table: RotaryEmbedding?) {
    count = 0
    self.table = table
  }

  /// Takes the next rows of the pass, of one sequence.
  /// - Parameter spans: All that the sequence has, those before these positions included.
  func append(_ range: Range<Int>, spans: [EmbeddingSpan]) {
    guard let table else { return }
    var grids = spans.lazy.filter { $0.grid != nil }.makeIterator()
    var next = grids.next()
    // Positions that images took fewer than rows.
    var spared = 0
    for position in range {
      while let span = next, let grid = span.grid, span.positions.upperBound <= position {
        spared += span.range.count - grid.extent
        next = grids.next()
      }
      guard let span = next, let grid = span.grid, span.positions.contains(position) else {
        add(position - spared)
        continue
      }
      let (corner, index) = (span.position - spared, position - span.position)
      let place = RotaryAxes.Place(
        time: corner, row: corner + index / grid.columns, column: corner + index % grid.columns)
      for (pair, axis) in axes.enumerated() {
        let (cosine, sine) = table.rotation(position: place[axis], pair: pair)
        rotations.row(count)[pair] = cosine
        rotations.row(count)[axes.count + pair] = sine
      }
      add(-1)
    }
  }

  private func add(_ position: Int) {
    positions[count] = Int32(truncatingIfNeeded: position)
    count += 1
  }

  /// Where rows are dropped: a row takes an earlier one's place.
  func move(_ row: Int, to index: Int) {
    positions[index] = positions[row]
    guard row != index else { return }
    rotations.row(index).update(from: rotations.row(row), count: rotations.width)
  }

  /// Rotates a row's heads. // x (heads, headDim)
  func rotate(
    _ x: UnsafeMutablePointer<Float>, heads: Int, row: Int, _ embedding: RotaryEmbedding
  ) {
    if positions[row] < 0 {
      embedding.rotate(x, heads: heads, by: rotations.row(row))
    } else {
      embedding.rotate(x, heads: heads, position: Int(positions[row]))
    }
  }
}
