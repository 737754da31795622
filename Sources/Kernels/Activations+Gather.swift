import CKernels

extension Activations {
  /// Copies rows of `source` as they are, float or quantised, so that rows which meet the same
  /// matrix lie one after the other: row `first + i` becomes row `rows[i]` of `source`, and
  /// negative entries are left out. Every worker calls it and does its share; a barrier must follow.
  package func gather(
    _ source: Activations, rows: UnsafeBufferPointer<Int32>, into first: Int, worker: Worker
  ) {
    precondition(source.width == width && source.precision == precision)
    precondition(first >= 0 && first + rows.count <= maxRows)
    for index in worker.range(of: rows.count) where rows[index] >= 0 {
      let from = Int(rows[index])
      precondition(from < source.maxRows)
      switch precision {
      case .float:
        floats.row(first + index).update(from: source.floats.row(from), count: width)
      case .quantized:
        let target = firstBlock(ofRow: first + index)
        let origin = source.firstBlock(ofRow: from)
        for block in 0..<blocksPerRow {
          target[block * Int(TK_ROW_GROUP)] = origin[block * Int(TK_ROW_GROUP)]
        }
      }
    }
  }

  /// Where a row begins; its blocks lie `TK_ROW_GROUP` apart.
  private func firstBlock(ofRow row: Int) -> UnsafeMutablePointer<tk_activation_block> {
    let group = Int(TK_ROW_GROUP)
    return blocks + row / group * blocksPerRow * group + row % group
  }

  /// Rows that lie together in the quantised form. Products are fastest if their rows begin at a
  /// multiple of it.
  package static let rowGroup = Int(TK_ROW_GROUP)
}
