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
          let start = row * width
          var sum = SIMD8<Float>.zero
          var j = 0
          while j + 8 <= width {
            var a = SIMD8<Float>.zero
            var b = SIMD8<Float>.zero
            for lane in 0..<8 {
              a[lane] = rows[start + j + lane]
              b[lane] = query[j + lane]
            }
            sum += a * b
            j += 8
          }
          var total = sum.sum()
          while j < width {
            total += rows[start + j] * query[j]
            j += 1
          }
          return total
        }
      }
    }
  }
}
