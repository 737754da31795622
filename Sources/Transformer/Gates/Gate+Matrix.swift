import Kernels

extension Gate.Scores {
  var kind: GateDescription.ScoreKind {
    switch self {
    case .linear: .linear
    case .cosine: .cosine
    case .fixedRandom: .fixedRandom
    case .random: .random
    case .perTask: .perTask
    }
  }

  /// What rows are multiplied with; nil where logits don't come from the row.
  func makeMatrix(expertCount: Int, width: Int) throws(ModelError) -> WeightMatrix? {
    switch self {
    case .linear(let weight, _):
      try Self.check("weight", weight, expected: [expertCount, width])
      return try Self.packed(weight)
    case .cosine(let prototypes):
      try Self.check("prototypes", prototypes, expected: [expertCount, width])
      return try Self.packed(Self.normalised(prototypes))
    case .fixedRandom(let seed, let layer):
      let matrix = try Self.buffer(rows: expertCount, width: width)
      let bound = 1 / Float(width).squareRoot()
      for expert in 0..<expertCount {
        let row = matrix.row(expert)
        for column in 0..<width {
          let unit = CounterGenerator.unit(
            UInt64(bitPattern: Int64(layer)), UInt64(expert), UInt64(column), seed: seed)
          row[column] = (2 * unit - 1) * bound
        }
      }
      return try Self.packed(matrix)
    case .random: return nil
    case .perTask(let rows):
      try Self.check("tasks", rows, expected: [rows.rows, expertCount])
      return nil
    }
  }

  private static func check(
    _ name: String, _ buffer: FloatBuffer, expected: [Int]
  ) throws(ModelError) {
    guard [buffer.rows, buffer.width] == expected else {
      throw .wrongShape(
        tensor: "gate." + name, shape: [buffer.rows, buffer.width], expected: expected)
    }
  }

  private static func buffer(rows: Int, width: Int) throws(ModelError) -> FloatBuffer {
    do {
      return try FloatBuffer(rows: rows, width: width)
    } catch {
      throw ModelError.outOfMemory(
        bytes: rows.multipliedReportingOverflow(by: width * 4).partialValue)
    }
  }

  private static func packed(_ matrix: FloatBuffer) throws(ModelError) -> WeightMatrix {
    do {
      return try WeightMatrix(
        outputs: matrix.rows, inputs: matrix.width, elementType: .f32,
        bytes: UnsafeRawBufferPointer(start: matrix.pointer, count: matrix.byteCount),
        precision: .float)
    } catch {
      throw ModelError.unreadableTensor("gate", reason: "\(error)")
    }
  }

  private static func normalised(_ prototypes: FloatBuffer) throws(ModelError) -> FloatBuffer {
    let matrix = try buffer(rows: prototypes.rows, width: prototypes.width)
    for index in 0..<prototypes.rows {
      let source = prototypes.row(index)
      let row = matrix.row(index)
      let squares = VectorOperations.dot(source, source, count: prototypes.width)
      row.update(from: source, count: prototypes.width)
      let factor = squares > 0 ? Float(1 / squares.squareRoot()) : 0
      VectorOperations.scale(row, by: factor, count: prototypes.width)
    }
    return matrix
  }
}
