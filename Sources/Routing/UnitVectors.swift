/// Many vectors of length 1 in fixed point, to be compared with one.
///
/// A router's are read from beginning to end for each prompt, after an encoder has filled the caches with other things:
/// of 1,270 prompts that is 2 MB in floats, which took more of a decision than all else but the encoder. In 16 bits it
/// is half, and the processor adds up eight products an instruction. What a cosine loses, some 1e-5, is what storing
/// the vectors in half precision had cost already.
package struct UnitVectors: Equatable, Sendable {
  package let width: Int
  private var numbers: [Int16]  // (vectors, width)
  private static let one: Float = 32_767

  /// - Parameter vectors: One after the other. // (vectors, width)
  package init(_ vectors: [Float], width: Int) {
    self.width = width
    numbers = vectors.map(Self.fixed)
  }

  package var count: Int { width > 0 ? numbers.count / width : 0 }

  /// - Parameter vector: Of length 1. // (width)
  package mutating func append(_ vector: [Float]) {
    precondition(vector.count == width)
    numbers += vector.map(Self.fixed)
  }

  /// Puts another vector in a row's place.
  package mutating func replace(_ row: Int, with vector: [Float]) {
    precondition(vector.count == width)
    numbers.replaceSubrange(row * width..<(row + 1) * width, with: vector.map(Self.fixed))
  }

  /// Its cosines with each, of a vector of length 1.
  package func cosines(with query: [Float]) -> [Float] {
    precondition(query.count == width)
    return query.map(Self.fixed).withUnsafeBufferPointer { query in
      numbers.withUnsafeBufferPointer { numbers in
        (0..<count).map { row in
          let vector = UnsafeBufferPointer(rebasing: numbers[row * width..<(row + 1) * width])
          return Float(Self.dot(vector, query)) / (Self.one * Self.one)
        }
      }
    }
  }

  /// What is longer than 1, or no number, as it may come from a file, must not stop anyone.
  private static func fixed(_ x: Float) -> Int16 {
    x.isNaN ? 0 : Int16((max(-1, min(x, 1)) * one).rounded())
  }

  /// Of vectors of length 1 no part of the sum is larger than the square of `one`, and that fits. The compiler makes
  /// this loop one of `pmaddwd` and its like.
  private static func dot(
    _ a: UnsafeBufferPointer<Int16>, _ b: UnsafeBufferPointer<Int16>
  ) -> Int32 {
    var sum: Int32 = 0
    for index in 0..<min(a.count, b.count) {
      sum &+= Int32(truncatingIfNeeded: a[index]) &* Int32(truncatingIfNeeded: b[index])
    }
    return sum
  }
}
