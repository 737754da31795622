import Kernels

/// Rows that enter the first layer where a sequence has placeholders: what an image became.
///
/// They stand in the place of the placeholders' own embeddings, and unlike those are not scaled.
package struct EmbeddingSpan: Sendable {
  /// The first row's position in its sequence.
  package let position: Int
  /// The rows' place in `rows`.
  package let range: Range<Int>
  package let rows: FloatBuffer  // (rows, the model's `imageRowWidth`)
  /// What the rows were made of: equal identities mean equal `rows`.
  package let identity: String
  /// Whether each row sees all of them, and not those before it alone: they then go through one pass together.
  package let rowsSeeAll: Bool
  /// How the rows lie in the image, to a model whose rotary positions have axes; nil where they follow each other.
  package let grid: Grid?

  /// Rows of embeddings in lines and columns, line by line.
  package struct Grid: Sendable, Equatable {
    package let lines: Int
    package let columns: Int

    package init(lines: Int, columns: Int) {
      self.lines = lines
      self.columns = columns
    }

    /// Whether it is of so many rows, from the first on.
    func covers(_ range: Range<Int>) -> Bool {
      let (count, overflow) = lines.multipliedReportingOverflow(by: columns)
      return lines > 0 && columns > 0 && !overflow && range == 0..<count
    }

    /// Rotary positions that they take on the axis where they take most.
    var extent: Int { max(lines, columns) }
  }

  package init(
    position: Int, range: Range<Int>, rows: FloatBuffer, identity: String,
    rowsSeeAll: Bool = false, grid: Grid? = nil
  ) {
    self.grid = grid
    self.rowsSeeAll = rowsSeeAll
    self.position = position
    self.range = range
    self.rows = rows
    self.identity = identity
  }

  /// The positions that it covers.
  package var positions: Range<Int> { position..<position + range.count }

  /// Whether spans stand in order, one behind the other, before `end`, in rows of such a width.
  package static func areValid(
    _ spans: [EmbeddingSpan], width: Int, before end: Int
  ) -> Bool {
    var next = 0
    for span in spans {
      guard !span.range.isEmpty, span.range.lowerBound >= 0,
        span.range.upperBound <= span.rows.rows,
        span.rows.width == width, span.position >= next, span.positions.upperBound <= end,
        span.grid.map({ $0.covers(span.range) }) ?? true
      else { return false }
      next = span.positions.upperBound
    }
    return true
  }
}
