import Foundation
import Kernels
import Testing

/// Only where there are such kernels; elsewhere encoders take ``WeightMatrix``.
@Suite(.enabled(if: RotatedShape(width: 384) != nil))
struct RotatedTests {
  static let sets = InstructionSet.available.filter {
    RotatedShape(width: 384, instructionSet: $0) != nil
  }

  private func buffer(
    _ rows: Int, _ width: Int, _ random: inout Random, outlier: Float = 1
  ) throws -> FloatBuffer {
    let buffer = try FloatBuffer(rows: rows, width: width)
    for index in 0..<buffer.count { buffer.pointer[index] = random.float() }
    // One large number a row, as activations of transformers have them.
    for row in 0..<rows { buffer[row, (row * 37) % width] *= outlier }
    return buffer
  }

  private func activations(
    _ x: FloatBuffer, _ set: InstructionSet = .current, gelu: Bool = false
  ) throws -> RotatedActivations {
    let shape = try #require(RotatedShape(width: x.width, instructionSet: set))
    let out = try RotatedActivations(rows: x.rows + 1, shape: shape)
    // From row 1 on, chunk by chunk.
    for chunk in 0..<out.chunks {
      out.quantize(
        x.pointer, stride: x.width, count: x.rows, chunks: chunk..<chunk + 1, gelu: gelu, row: 1)
    }
    return out
  }

  /// The relative error of a product, against double precision. // x (rows, width), w (outputs, width)
  private func error(
    _ found: FloatBuffer, x: [[Double]], w: FloatBuffer, bias: FloatBuffer?, addend: FloatBuffer?
  ) -> Double {
    var wrong = 0.0
    var all = 0.0
    for (row, numbers) in x.enumerated() {
      for output in 0..<w.rows {
        var sum = 0.0
        for k in 0..<w.width { sum += numbers[k] * Double(w[output, k]) }
        all += sum * sum
        sum += Double(bias?[0, output] ?? 0) + Double(addend?[row, output] ?? 0)
        let difference = Double(found[row, output]) - sum
        wrong += difference * difference
      }
    }
    return (wrong / all).squareRoot()
  }

  private func rows(_ x: FloatBuffer) -> [[Double]] {
    (0..<x.rows).map { row in (0..<x.width).map { Double(x[row, $0]) } }
  }

  @Test(arguments: [384, 512, 768, 1536], sets)
  func productEqualsTheDefinition(width: Int, set: InstructionSet) throws {
    for count in [1, 2, 3, 4, 5, 7, 8, 9, 17] {
      try productEqualsTheDefinition(width: width, count: count, set: set)
    }
  }

  private func productEqualsTheDefinition(width: Int, count: Int, set: InstructionSet) throws {
    var random = Random(41)
    let x = try buffer(count, width, &random, outlier: 10)
    let w = try buffer(96, width, &random)
    let bias = try buffer(1, 96, &random)
    let addend = try buffer(count, 96, &random)
    let matrix = try RotatedMatrix(
      [w], shape: #require(RotatedShape(width: width, instructionSet: set)))
    let input = try activations(x, set)
    let out = try FloatBuffer(rows: count, width: 96)
    // In two parts, the second first.
    for outputs in [64..<96, 0..<64] {
      matrix.multiply(
        input, row: 1, count: count, outputs: outputs, into: out.pointer, stride: 96,
        bias: bias.pointer, addend: addend.pointer, addendStride: 96)
    }
    #expect(error(out, x: rows(x), w: w, bias: bias, addend: addend) < 0.02)
  }

  @Test func severalMatricesAreOne() throws {
    var random = Random(42)
    let parts = try [buffer(32, 384, &random), buffer(64, 384, &random)]
    let shape = try #require(RotatedShape(width: 384))
    let pool = try ThreadPool(threadCount: 2)
    let input = try activations(buffer(5, 384, &random))
    let whole = try RotatedMatrix(parts, shape: shape, pool: pool)
    let together = try FloatBuffer(rows: 5, width: 96)
    whole.multiply(
      input, row: 1, count: 5, outputs: 0..<96, into: together.pointer, stride: 96)
    var start = 0
    for part in parts {
      let alone = try FloatBuffer(rows: 5, width: part.rows)
      try RotatedMatrix([part], shape: shape).multiply(
        input, row: 1, count: 5, outputs: 0..<part.rows, into: alone.pointer, stride: part.rows)
      for row in 0..<5 {
        for output in 0..<part.rows {
          #expect(alone[row, output] == together[row, start + output])
        }
      }
      start += part.rows
    }
  }

  @Test(arguments: [384, 512], sets)
  func layerNorm(width: Int, set: InstructionSet) throws {
    var random = Random(43)
    let x = try buffer(9, width, &random, outlier: 20)
    let weight = try buffer(1, width, &random)
    let bias = try buffer(1, width, &random)
    let w = try buffer(64, width, &random)
    let shape = try #require(RotatedShape(width: width, instructionSet: set))
    let normed = try RotatedActivations(rows: 12, shape: shape)
    let hidden = try FloatBuffer(rows: 9, width: width)
    normed.layerNorm(
      x.pointer, count: 9, weight: weight.pointer, bias: bias.pointer, epsilon: 1e-5,
      hidden: hidden.pointer, row: 3)
    var wanted: [[Double]] = []
    for row in rows(x) {
      let mean = row.reduce(0, +) / Double(width)
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
      wanted.append(
        row.enumerated().map { index, value in
          (value - mean) / (variance + 1e-5).squareRoot() * Double(weight[0, index])
            + Double(bias[0, index])
        })
    }
    for (row, numbers) in wanted.enumerated() {
      for (index, value) in numbers.enumerated() {
        #expect(abs(Double(hidden[row, index]) - value) < 1e-5)
      }
    }
    let matrix = try RotatedMatrix([w], shape: shape)
    let out = try FloatBuffer(rows: 9, width: 64)
    matrix.multiply(normed, row: 3, count: 9, outputs: 0..<64, into: out.pointer, stride: 64)
    #expect(error(out, x: wanted, w: w, bias: nil, addend: nil) < 0.02)
    // In place.
    normed.layerNorm(
      x.pointer, count: 9, weight: weight.pointer, bias: bias.pointer, epsilon: 1e-5,
      hidden: x.pointer, row: 3)
    for index in 0..<x.count { #expect(x.pointer[index] == hidden.pointer[index]) }
  }

  @Test(arguments: sets)
  func gelu(set: InstructionSet) throws {
    var random = Random(44)
    let x = try buffer(6, 384, &random)
    for index in 0..<x.count { x.pointer[index] *= 6 }
    let w = try buffer(32, 384, &random)
    let out = try FloatBuffer(rows: 6, width: 32)
    let shape = try #require(RotatedShape(width: 384, instructionSet: set))
    try RotatedMatrix([w], shape: shape).multiply(
      activations(x, set, gelu: true), row: 1, count: 6, outputs: 0..<32, into: out.pointer,
      stride: 32)
    let wanted = rows(x).map { $0.map { $0 / 2 * (1 + erf($0 / 2.0.squareRoot())) } }
    #expect(error(out, x: wanted, w: w, bias: nil, addend: nil) < 0.02)
  }

  /// An embedding is the same on every machine, where there are these kernels.
  @Test func instructionSetsAgreeToTheBit() throws {
    var random = Random(46)
    let x = try buffer(13, 384, &random, outlier: 20)
    let w = try buffer(96, 384, &random)
    let factors = try buffer(2, 384, &random)
    var results: [[Float]] = []
    for set in Self.sets {
      let shape = try #require(RotatedShape(width: 384, instructionSet: set))
      let matrix = try RotatedMatrix([w], shape: shape)
      let normed = try RotatedActivations(rows: 13, shape: shape)
      let hidden = try FloatBuffer(rows: 13, width: 384)
      normed.layerNorm(
        x.pointer, count: 13, weight: factors.row(0), bias: factors.row(1), epsilon: 1e-12,
        hidden: hidden.pointer, row: 0)
      let out = try FloatBuffer(rows: 26, width: 96)
      matrix.multiply(normed, row: 0, count: 13, outputs: 0..<96, into: out.pointer, stride: 96)
      matrix.multiply(
        try activations(x, set, gelu: true), row: 1, count: 13, outputs: 0..<96,
        into: out.row(13), stride: 96, bias: factors.pointer)
      results.append(
        [hidden, out].flatMap { buffer in
          (0..<buffer.count).map { buffer.pointer[$0] }
        })
    }
    for result in results { #expect(result == results[0]) }
  }

  /// Numbers that no model should have end in numbers or NaN, not in a crash, and only in their row.
  @Test(arguments: sets)
  func oddNumbersStayInTheirRow(set: InstructionSet) throws {
    var random = Random(45)
    let x = try buffer(4, 384, &random)
    for (row, odd) in [(0, Float.nan), (1, .infinity), (2, 0)] {
      for k in 0..<(row == 2 ? 384 : 3) { x[row, k] = odd }
    }
    let w = try buffer(32, 384, &random)
    let shape = try #require(RotatedShape(width: 384, instructionSet: set))
    let matrix = try RotatedMatrix([w], shape: shape)
    let out = try FloatBuffer(rows: 4, width: 32)
    matrix.multiply(
      try activations(x, set), row: 1, count: 4, outputs: 0..<32, into: out.pointer, stride: 32)
    for output in 0..<32 {
      #expect(out[2, output] == 0)
      #expect(out[3, output].isFinite)
    }
    let alone = try FloatBuffer(rows: 1, width: 384)
    alone.pointer.update(from: x.row(3), count: 384)
    let same = try FloatBuffer(rows: 1, width: 32)
    matrix.multiply(
      try activations(alone, set), row: 1, count: 1, outputs: 0..<32, into: same.pointer, stride: 32
    )
    for output in 0..<32 { #expect(same[0, output] == out[3, output]) }
  }

  @Test func sizesThatCannotBe() throws {
    for width in [0, -384, 32, 383, 256, 640] { #expect(RotatedShape(width: width) == nil) }
    #expect(RotatedShape(width: 384, instructionSet: .generic) == nil)
    let shape = try #require(RotatedShape(width: 384))
    #expect(throws: KernelError.self) { try RotatedActivations(rows: 0, shape: shape) }
    #expect(throws: KernelError.self) { try RotatedMatrix([], shape: shape) }
    #expect(throws: KernelError.self) {
      try RotatedMatrix([FloatBuffer(rows: 33, width: 384)], shape: shape)
    }
    #expect(throws: KernelError.self) {
      try RotatedMatrix([FloatBuffer(rows: 32, width: 512)], shape: shape)
    }
  }
}
