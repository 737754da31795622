/// A draw among all tokens of a vocabulary.
enum WeightedDraw {
  /// Weights that are summed together.
  private static let run = 512

  /// The index of one of the weights, with probability proportional to it; nil where they have no
  /// sum that is a positive number.
  static func index(
    _ weights: UnsafeBufferPointer<Float>, using generator: inout SeededGenerator
  ) -> Int? {
    var total = 0.0
    for start in stride(from: 0, to: weights.count, by: run) { total += sum(weights, from: start) }
    guard total.isFinite, total > 0 else { return nil }
    var rest = generator.nextUnit() * total
    var last: Int?
    for start in stride(from: 0, to: weights.count, by: run) {
      let sum = sum(weights, from: start)
      // Rounding may leave a little of `rest` at the end of the run that it should end in; then the
      // last weight that is not 0 is as good.
      if rest >= sum {
        rest -= sum
        continue
      }
      for index in start..<min(start + run, weights.count) where weights[index] > 0 {
        rest -= Double(weights[index])
        last = index
        if rest < 0 { return index }
      }
    }
    return last ?? weights.lastIndex { $0 > 0 }
  }

  private static func sum(_ weights: UnsafeBufferPointer<Float>, from start: Int) -> Double {
    let end = min(start + run, weights.count)
    let bytes = UnsafeRawBufferPointer(weights)
    var sums = SIMD16<Float>()
    var index = start
    while index + 16 <= end {
      sums += bytes.loadUnaligned(fromByteOffset: index * 4, as: SIMD16<Float>.self)
      index += 16
    }
    var total = Double(sums.sum())
    while index < end {
      total += Double(weights[index])
      index += 1
    }
    return total
  }
}
