import Kernels

extension Activations {
  /// Quantises row `row` of the floats as two rows: itself rounded to int8, and in row `rest` what
  /// the rounding left, rounded once more.
  ///
  /// A product with both rows, added up, has the rounding error of 16-bit activations at the price
  /// of one more row; the weights are still read once.
  func quantizeSplit(row: Int, rest: Int) {
    let values = floats.row(row)
    let left = floats.row(rest)
    // Adding and taking away 1.5 x 2^23 rounds to nearest even, and vectorises.
    let rounder: Float = 12_582_912
    for start in stride(from: 0, to: width, by: 32) {
      let end = min(start + 32, width)
      var largest: Float = 0
      for i in start..<end { largest = max(largest, abs(values[i])) }
      // As the kernels round a block: their result of `row` is `row` itself.
      let step = largest / 127
      let inverse = largest > 0 ? 1 / step : 0
      for i in start..<end {
        let rounded = (values[i] * inverse + rounder - rounder) * step
        left[i] = values[i] - rounded
        values[i] = rounded
      }
    }
    quantize(rows: row..<row + 1, worker: .alone)
    quantize(rows: rest..<rest + 1, worker: .alone)
  }
}
