import CKernels

extension KVLayout {
  /// Floats that `averageAttention` works in.
  package func attentionScratchCount(positions: Int) -> Int {
    let pages = (positions + Self.positions - 1) / Self.positions
    return (pages + headDim) * Self.positions
  }

  /// How much a row attends to each position: the softmax of its scaled scores, averaged over the
  /// heads. Positions before `positions` get 0. // query (heads, headDim), weights (positions)
  ///
  /// Attention itself never has these numbers in one place; they are for what looks at them beside it.
  package func averageAttention(
    query: UnsafePointer<Float>, heads: Int, scale: Float, positions: Range<Int>,
    pages: UnsafePointer<UnsafeMutableRawPointer>, scratch: UnsafeMutablePointer<Float>,
    into weights: UnsafeMutablePointer<Float>
  ) {
    weights.update(repeating: 0, count: positions.upperBound)
    guard !positions.isEmpty, heads >= keyValueHeads else { return }
    let size = Self.positions
    let keyCount = headDim * size
    let keys = scratch
    let scores = scratch + keyCount
    let first = positions.lowerBound / size
    let last = (positions.upperBound - 1) / size
    for head in 0..<heads {
      let keyHead = head / (heads / keyValueHeads)
      scores.update(repeating: 0, count: (last + 1 - first) * size)
      for page in first...last {
        tk_kv_keys(native, pages[page], Int64(keyHead), keys)
        VectorOperations.add(
          rows: keys, stride: size, times: query + head * headDim, rowCount: headDim,
          to: scores + (page - first) * size, count: size)
      }
      let mine = scores + positions.lowerBound - first * size
      VectorOperations.scale(mine, by: scale, count: positions.count)
      VectorOperations.softmax(mine, count: positions.count)
      VectorOperations.add(
        mine, times: 1 / Float(heads), to: weights + positions.lowerBound, count: positions.count)
    }
  }
}
