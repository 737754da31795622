import Kernels

extension LowRankAdapter {
  /// Puts together the additions to modules that have the same input.
  struct GroupBuilder {
    private let inputs: Int
    private let precision: WeightMatrix.Precision
    /// All A's, one after the other, as they are packed. // (sum of ranks, inputs)
    private var rows: [Float] = []
    private var additions: [Addition] = []
    private var ranks = 0

    init(inputs: Int, precision: WeightMatrix.Precision) {
      self.inputs = inputs
      self.precision = precision
    }

    /// - Parameters:
    ///   - down: A. // (rank, inputs)
    ///   - up: B transposed, with the addition's scale. // (rank, outputs)
    mutating func add(
      _ module: AdaptedModule, down: UnsafeBufferPointer<Float>, up: FloatBuffer
    ) throws(KernelError) {
      let stored = try AdapterRows(up, precision: precision)
      let first = rows.count
      rows += down
      for (rank, scale) in (stored.scales ?? []).enumerated() {
        for index in first + rank * inputs..<first + (rank + 1) * inputs { rows[index] *= scale }
      }
      additions.append(Addition(module: module, ranks: ranks..<ranks + up.rows, rows: stored))
      ranks += up.rows
    }

    /// Nil if nothing was added.
    func group() throws(KernelError) -> Group? {
      guard ranks > 0 else { return nil }
      let matrix = try rows.withUnsafeBufferPointer { rows throws(KernelError) in
        try WeightMatrix(
          outputs: ranks, inputs: inputs, elementType: .f32, bytes: UnsafeRawBufferPointer(rows),
          precision: precision)
      }
      return Group(matrix: matrix, additions: additions)
    }
  }

  /// What it adds to a module, as floats; nil if that is nothing. The scale is in B already.
  func pair(_ module: AdaptedModule, layer: Int) throws(ModelError) -> LowRankPair? {
    guard let group = group(layer: layer, module.input),
      let addition = group.additions.first(where: { $0.module == module })
    else { return nil }
    let down: FloatBuffer
    let up: FloatBuffer
    do {
      up = try addition.rows.buffer()
      down = try FloatBuffer(rows: addition.ranks.count, width: group.matrix.inputs)
    } catch {
      throw ModelError.outOfMemory(bytes: addition.ranks.count * group.matrix.inputs * 4)
    }
    let scales = addition.rows.scales
    for (row, rank) in addition.ranks.enumerated() {
      group.matrix.copyRow(rank, into: down.row(row))
      if let scales {
        VectorOperations.scale(down.row(row), by: 1 / scales[row], count: down.width)
      }
    }
    return try LowRankPair(down: down, up: up, scale: 1)
  }
}
