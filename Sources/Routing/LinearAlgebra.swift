/// A dense matrix of doubles, row-major.
package struct Matrix: Sendable, Equatable {
  package let rows: Int
  package let columns: Int
  package var values: [Double]

  package init(rows: Int, columns: Int) {
    self.rows = rows
    self.columns = columns
    values = Array(repeating: 0, count: rows * columns)
  }

  /// From rows of one length; nil where they differ.
  package init?(_ table: [[Double]]) {
    let width = table.first?.count ?? 0
    guard table.allSatisfy({ $0.count == width }) else { return nil }
    rows = table.count
    columns = width
    values = table.flatMap { $0 }
  }

  package subscript(row: Int, column: Int) -> Double {
    get { values[row * columns + column] }
    set { values[row * columns + column] = newValue }
  }
}

/// The few dense routines that training a router needs, in plain loops that vectorise.
enum LinearAlgebra {
  /// Inner product, in eight partial sums.
  @inline(__always)
  static func dot(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ count: Int) -> Double {
    var low = SIMD4<Double>.zero
    var high = SIMD4<Double>.zero
    var index = 0
    let rawA = UnsafeRawPointer(a)
    let rawB = UnsafeRawPointer(b)
    while index + 8 <= count {
      let at = index * 8
      low +=
        rawA.loadUnaligned(fromByteOffset: at, as: SIMD4<Double>.self)
        * rawB.loadUnaligned(fromByteOffset: at, as: SIMD4<Double>.self)
      high +=
        rawA.loadUnaligned(fromByteOffset: at + 32, as: SIMD4<Double>.self)
        * rawB.loadUnaligned(fromByteOffset: at + 32, as: SIMD4<Double>.self)
      index += 8
    }
    var sum = (low + high).sum()
    while index < count {
      sum += a[index] * b[index]
      index += 1
    }
    return sum
  }

  /// Adds the outer product of four rows with themselves to the upper triangle of `gram`.
  static func addOuterProducts(
    _ rows: [UnsafePointer<Double>], to gram: UnsafeMutablePointer<Double>, _ size: Int
  ) {
    if rows.count == 4 {
      let (p, q, r, s) = (rows[0], rows[1], rows[2], rows[3])
      for i in 0..<size {
        let (a, b, c, d) = (p[i], q[i], r[i], s[i])
        let target = gram + i * size
        for j in i..<size { target[j] += a * p[j] + b * q[j] + c * r[j] + d * s[j] }
      }
    } else {
      for p in rows {
        for i in 0..<size {
          let a = p[i]
          let target = gram + i * size
          for j in i..<size { target[j] += a * p[j] }
        }
      }
    }
  }

  /// The lower Cholesky factor, row-major, of a symmetric matrix; nil where it is not positive
  /// definite.
  static func cholesky(_ matrix: Matrix) -> Matrix? {
    let size = matrix.rows
    var factor = Matrix(rows: size, columns: size)
    let succeeded = factor.values.withUnsafeMutableBufferPointer { buffer -> Bool in
      guard let l = buffer.baseAddress else { return size == 0 }
      for i in 0..<size {
        let rowI = l + i * size
        for j in 0..<i {
          let rowJ = l + j * size
          rowI[j] = (matrix.values[i * size + j] - dot(rowI, rowJ, j)) / rowJ[j]
        }
        let pivot = matrix.values[i * size + i] - dot(rowI, rowI, i)
        guard pivot.isFinite, pivot > 0 else { return false }
        rowI[i] = pivot.squareRoot()
      }
      return true
    }
    return succeeded ? factor : nil
  }

  /// Solves `L v = b` in place.
  static func forward(_ factor: Matrix, _ vector: inout [Double]) {
    let size = factor.rows
    factor.values.withUnsafeBufferPointer { l in
      vector.withUnsafeMutableBufferPointer { v in
        guard let l = l.baseAddress, let v = v.baseAddress else { return }
        for i in 0..<size {
          v[i] = (v[i] - dot(l + i * size, v, i)) / l[i * size + i]
        }
      }
    }
  }

  /// Solves `L L^T x = b`.
  static func solve(_ factor: Matrix, _ right: [Double]) -> [Double] {
    let size = factor.rows
    var x = right
    forward(factor, &x)
    factor.values.withUnsafeBufferPointer { l in
      x.withUnsafeMutableBufferPointer { x in
        guard let l = l.baseAddress, let x = x.baseAddress else { return }
        // By columns of L^T, that is rows of L, so that memory is read in order.
        for i in stride(from: size - 1, through: 0, by: -1) {
          x[i] /= l[i * size + i]
          let value = x[i]
          let row = l + i * size
          for j in 0..<i { x[j] -= value * row[j] }
        }
      }
    }
    return x
  }
}
