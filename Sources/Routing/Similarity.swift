/// Unit vectors and their cosines.
enum Similarity {
  /// The vector at length 1; unchanged where it is zero.
  static func normalised(_ vector: [Float]) -> [Float] {
    let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return length > 0 && length.isFinite ? vector.map { $0 / length } : vector
  }

  /// Cosines of a unit vector with each of many, stored one after the other.
  static func cosines(_ vectors: [Float], with query: [Float]) -> [Float] {
    let width = query.count
    guard width > 0 else { return [] }
    return vectors.withUnsafeBufferPointer { rows in
      query.withUnsafeBufferPointer { query in
        (0..<(rows.count / width)).map { row in
          dot(UnsafeBufferPointer(rebasing: rows[row * width..<(row + 1) * width]), query)
        }
      }
    }
  }

  private typealias Eight = SIMD8<Float>

  @inline(__always)
  private static func product(
    _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, _ at: Int
  ) -> Eight {
    a.loadUnaligned(fromByteOffset: at, as: Eight.self)
      * b.loadUnaligned(fromByteOffset: at, as: Eight.self)
  }

  /// Four sums run side by side, each of eight numbers. Both have the same length.
  private static func dot(
    _ a: UnsafeBufferPointer<Float>, _ b: UnsafeBufferPointer<Float>
  ) -> Float {
    let a = UnsafeRawBufferPointer(a)
    let b = UnsafeRawBufferPointer(b)
    let step = MemoryLayout<Eight>.size
    var sums = (Eight.zero, Eight.zero, Eight.zero, Eight.zero)
    var at = 0
    while at + 4 * step <= a.count {
      sums.0 += product(a, b, at)
      sums.1 += product(a, b, at + step)
      sums.2 += product(a, b, at + 2 * step)
      sums.3 += product(a, b, at + 3 * step)
      at += 4 * step
    }
    while at + step <= a.count {
      sums.0 += product(a, b, at)
      at += step
    }
    var total = (sums.0 + sums.1 + sums.2 + sums.3).sum()
    while at < a.count {
      total +=
        a.loadUnaligned(fromByteOffset: at, as: Float.self)
        * b.loadUnaligned(fromByteOffset: at, as: Float.self)
      at += MemoryLayout<Float>.size
    }
    return total
  }
}
