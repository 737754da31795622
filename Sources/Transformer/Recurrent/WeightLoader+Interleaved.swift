import Kernels

/// The rows of a tensor that several linear maps share: for each head in turn some rows of every map.
struct InterleavedRows {
  let heads: Int
  /// A head's rows of each map.
  let counts: [Int]

  /// Rows of a head, of all maps.
  private var step: Int { counts.reduce(0, +) }
  var total: Int { heads * step }

  /// Where a map's rows are, head by head.
  func runs(of map: Int) -> [Range<Int>] {
    let first = counts.prefix(map).reduce(0, +)
    return (0..<heads).map { head in
      let start = head * step + first
      return start..<start + counts[map]
    }
  }
}

extension WeightLoader {
  /// Linear maps that one tensor `prefix.weight` holds in turns. // (rows.total, inputs)
  /// - Parameter maps: Which of the shared maps each result is made of, one behind the other.
  func interleavedProjections(
    _ prefix: String, _ rows: InterleavedRows, maps: [[Int]], inputs: Int
  ) throws(ModelError) -> [Projection] {
    let name = prefix + ".weight"
    let view = try view(name, shape: [rows.total, inputs])
    guard !contains(prefix + ".bias") else {
      throw .unsupported(key: prefix + ".bias", value: "present")
    }
    guard rows.total > 0, view.bytes.count.isMultiple(of: rows.total) else {
      throw .unreadableTensor(name, reason: "\(view.bytes.count) bytes for \(rows.total) outputs")
    }
    let size = view.bytes.count / rows.total
    var projections: [Projection] = []
    for map in maps {
      let runs = map.flatMap { rows.runs(of: $0) }
      let outputs = runs.reduce(0) { $0 + $1.count }
      var bytes: [UInt8] = []
      bytes.reserveCapacity(outputs * size)
      for run in runs { bytes += view.bytes[run.lowerBound * size..<run.upperBound * size] }
      let matrix = try bytes.withUnsafeBufferPointer { bytes throws(ModelError) in
        try pack(
          view, bytes: UnsafeRawBufferPointer(bytes), name: name, outputs: outputs, inputs: inputs
        ) { _ in }
      }
      projections.append(Projection(matrix: matrix, bias: nil))
    }
    view.dropPages(0..<view.bytes.count)
    return projections
  }

  /// Matrices of few outputs that one tensor holds in turns, multiplied as floats (see `preciseMatrix`).
  /// // (rows.total, inputs)
  func interleavedPreciseMatrices(
    _ name: String, _ rows: InterleavedRows, inputs: Int
  ) throws(ModelError) -> [WeightMatrix] {
    let all = try floats(name, shape: [rows.total, inputs])
    var matrices: [WeightMatrix] = []
    for map in rows.counts.indices {
      let runs = rows.runs(of: map)
      matrices.append(
        try matrix(
          name, floats: runs.flatMap { all[$0.lowerBound * inputs..<$0.upperBound * inputs] },
          outputs: rows.heads * rows.counts[map], inputs: inputs, precision: .float))
    }
    return matrices
  }
}
