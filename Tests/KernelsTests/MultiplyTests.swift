import Kernels
import Testing

@Suite struct MultiplyTests {
  struct Shape: Sendable, CustomStringConvertible {
    var rows: Int
    var outputs: Int
    var inputs: Int
    var description: String { "\(rows)x\(outputs)x\(inputs)" }
  }

  static let cases: [(InstructionSet, ElementType)] = InstructionSet.available.flatMap { set in
    ElementType.allCases.map { (set, $0) }
  }

  /// Against a double-precision product of the dequantised weights with the dequantised
  /// activations: what is left is float summation.
  @Test(arguments: cases)
  func quantizedProduct(set: InstructionSet, type: ElementType) throws {
    var random = Random(UInt64(type.rawValue) + 11)
    let block = max(type.blockSize, 32)
    let shapes = [
      Shape(rows: 1, outputs: 1, inputs: block), Shape(rows: 1, outputs: 40, inputs: 2 * block),
      Shape(rows: 7, outputs: 16, inputs: 3 * block), Shape(rows: 8, outputs: 17, inputs: block),
      Shape(rows: 9, outputs: 33, inputs: 2 * block), Shape(rows: 33, outputs: 31, inputs: block),
      Shape(rows: 13, outputs: 48, inputs: 5 * block),
    ]
    for shape in shapes {
      for scales in ScaleKind.allCases {
        try check(shape, type, scales: scales, set, precision: .quantized, random: &random)
      }
    }
    if type.blockSize == 1 {
      let odd = Shape(rows: 5, outputs: 18, inputs: 43)
      try check(odd, type, scales: .ordinary, set, precision: .quantized, random: &random)
    }
  }

  @Test(arguments: cases)
  func floatProduct(set: InstructionSet, type: ElementType) throws {
    var random = Random(UInt64(type.rawValue) + 23)
    let block = type.blockSize
    for (rows, outputs, blocks) in [(1, 1, 1), (7, 17, 2), (8, 32, 3), (9, 15, 1), (33, 16, 2)] {
      let shape = Shape(rows: rows, outputs: outputs, inputs: blocks * block)
      try check(shape, type, scales: .ordinary, set, precision: .float, random: &random)
    }
    if block == 1 {
      let odd = Shape(rows: 6, outputs: 21, inputs: 203)
      try check(odd, type, scales: .ordinary, set, precision: .float, random: &random)
    }
  }

  /// A row's float product doesn't depend on the rows beside it, nor on which outputs are asked
  /// for.
  @Test(arguments: InstructionSet.available, [1, 63, 64, 200, 256, 257, 700])
  func floatRowsAreTheSameAlone(set: InstructionSet, inputs: Int) throws {
    var random = Random(UInt64(inputs))
    let (rows, outputs) = (14, 40)
    let tensor = random.floats(outputs * inputs)
    let matrix = try tensor.withUnsafeBytes { bytes throws(KernelError) in
      try WeightMatrix(
        outputs: outputs, inputs: inputs, elementType: .f32, bytes: bytes, precision: .float,
        instructionSet: set)
    }
    let x = random.floats(rows * inputs)
    var together = [Float](repeating: 0, count: rows * outputs)
    matrix.multiply(
      floats: x, stride: inputs, rowCount: rows, outputs: 0..<outputs, into: &together,
      stride: outputs)
    var alone = [Float](repeating: 0, count: rows * outputs)
    for row in 0..<rows {
      x.withUnsafeBufferPointer { x in
        alone.withUnsafeMutableBufferPointer { alone in
          guard let x = x.baseAddress, let alone = alone.baseAddress else { return }
          for part in [0..<16, 16..<40] {
            matrix.multiply(
              floats: x + row * inputs, stride: inputs, rowCount: 1, outputs: part,
              into: alone + row * outputs, stride: outputs)
          }
        }
      }
    }
    #expect(alone == together)
    let exact = x.map(Double.init)
    for index in 0..<rows * outputs {
      var sum = 0.0
      for column in 0..<inputs {
        sum +=
          exact[index / outputs * inputs + column]
          * Double(tensor[index % outputs * inputs + column])
      }
      #expect(abs(Double(together[index]) - sum) < 1e-4)
    }
  }

  /// A bias comes to each row once, whether results are written or added, in whole tiles and in the rest.
  @Test(arguments: InstructionSet.available, [WeightMatrix.Precision.float, .quantized])
  func biasComesToEachRow(set: InstructionSet, precision: WeightMatrix.Precision) throws {
    var random = Random(31)
    let (rows, inputs) = (15, 64)
    for outputs in [1, 16, 37] {
      let tensor = random.floats(outputs * inputs)
      let matrix = try tensor.withUnsafeBytes { bytes throws(KernelError) in
        try WeightMatrix(
          outputs: outputs, inputs: inputs, elementType: .f32, bytes: bytes, precision: precision,
          instructionSet: set)
      }
      let x = try Activations(
        maxRows: rows, width: inputs, precision: precision, instructionSet: set)
      for index in 0..<rows * inputs { x.floats.pointer[index] = random.float() }
      x.quantize(rows: 0..<rows, worker: .alone)
      let bias = try FloatBuffer(rows: 1, width: outputs)
      for index in 0..<outputs { bias.pointer[index] = random.float() * 4 }
      let before = random.floats(rows * outputs)
      for accumulate in [false, true] {
        var plain = before
        matrix.multiply(
          x, rows: 0..<rows, into: &plain, stride: outputs, accumulate: accumulate, worker: .alone)
        var biased = before
        matrix.multiply(
          x, rows: 0..<rows, into: &biased, stride: outputs, accumulate: accumulate, bias: bias,
          worker: .alone)
        for index in 0..<rows * outputs {
          let wanted = plain[index] + bias.pointer[index % outputs]
          #expect(abs(biased[index] - wanted) < 1e-5)
        }
      }
    }
  }

  private func check(
    _ shape: Shape, _ type: ElementType, scales: ScaleKind, _ set: InstructionSet,
    precision: WeightMatrix.Precision, random: inout Random
  ) throws {
    let tensor = type.randomTensor(
      rows: shape.outputs, inputs: shape.inputs, scales: scales, random: &random)
    let matrix = try tensor.withUnsafeBytes { bytes throws(KernelError) in
      try WeightMatrix(
        outputs: shape.outputs, inputs: shape.inputs, elementType: type, bytes: bytes,
        precision: precision, instructionSet: set)
    }
    let weights: [Float]
    if type.blockSize == 1, precision == .quantized {
      // Float tensors are quantised to 8 bits: the product is that of what they became.
      weights = (0..<shape.outputs).flatMap { output -> [Float] in
        var row = [Float](repeating: 0, count: shape.inputs)
        matrix.copyRow(output, into: &row)
        return row
      }
    } else {
      weights = try tensor.withUnsafeBytes { bytes throws(KernelError) in
        try dequantize(type, bytes, count: shape.outputs * shape.inputs)
      }
    }
    // Rows of very different sizes, one of the largest possible quants, one of zeros.
    let x = (0..<shape.rows).map { row -> [Float] in
      switch row % 5 {
      case 1: return (0..<shape.inputs).map { _ in random.next() % 2 == 0 ? 1 : -1 }
      case 2: return [Float](repeating: row % 2 == 0 ? 127 : -127, count: shape.inputs)
      case 3: return [Float](repeating: 0, count: shape.inputs)
      case 4: return random.floats(shape.inputs, scale: 1000)
      default: return random.floats(shape.inputs)
      }
    }
    let exact =
      precision == .float
      ? x.map { $0.map(Double.init) } : x.map { quantizedRow($0) }
    let wanted = reference(exact, weights, outputs: shape.outputs)

    // The rows start in the middle of a row group, and the output has a stride.
    let first = 3
    let stride = shape.outputs + 5
    let activations = try Activations(
      maxRows: shape.rows + first, width: shape.inputs, precision: precision, instructionSet: set)
    for row in 0..<shape.rows {
      activations.floats.row(first + row).update(from: x[row], count: shape.inputs)
    }
    let rows = first..<first + shape.rows
    activations.quantize(rows: rows, worker: .alone)
    let out = try FloatBuffer(rows: shape.rows, width: stride)
    for index in 0..<out.count { out.pointer[index] = -7 }
    matrix.multiply(
      activations, rows: rows, into: out.pointer, stride: stride, worker: .alone)

    // Where the factors of a product are subnormal, a float's own step bounds the error.
    var problems = 0
    for row in 0..<shape.rows {
      for output in 0..<shape.outputs {
        let error = abs(Double(out[row, output]) - wanted.values[row][output])
        if !(error <= 2e-6 * bound(wanted.magnitudes[row][output], exact[row], weights, type)) {
          problems += 1
        }
      }
      for column in shape.outputs..<stride where out[row, column] != -7 { problems += 1 }
    }
    #expect(problems == 0, "\(type) \(set) \(shape) \(scales)")

    // Adding to what is there gives twice the product; a row alone equals the row in the batch.
    matrix.multiply(
      activations, rows: rows, into: out.pointer, stride: stride, accumulate: true, worker: .alone)
    let alone = try FloatBuffer(rows: 1, width: shape.outputs)
    for row in 0..<shape.rows {
      matrix.multiply(
        activations, rows: first + row..<first + row + 1, into: alone.pointer,
        stride: shape.outputs, worker: .alone)
      for output in 0..<shape.outputs where out[row, output] != 2 * alone[0, output] {
        problems += 1
      }
    }
    // Group by group is the same as all at once.
    if precision == .quantized {
      for index in 0..<alone.count { alone.pointer[index] = 0 }
      let groups = (shape.outputs + WeightMatrix.outputGroup - 1) / WeightMatrix.outputGroup
      for group in 0..<groups {
        matrix.addGroup(group, of: activations, row: first, to: alone.pointer)
      }
      for output in 0..<shape.outputs where out[0, output] != 2 * alone[0, output] {
        problems += 1
      }
    }
    #expect(problems == 0, "alone and in a batch: \(type) \(set) \(shape) \(scales)")
  }

  /// Types with offsets cancel (scale * q against offset), so the error is measured against both
  /// parts: at most the activations' sum times the largest weight of the tensor.
  private func bound(
    _ magnitude: Double, _ x: [Double], _ weights: [Float], _ type: ElementType
  ) -> Double {
    let largest = Double(weights.map(abs).max() ?? 0)
    return magnitude + 0.05 * largest * x.map(abs).reduce(0, +) + 1e-30
  }
}
