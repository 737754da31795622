import CKernels
import Foundation
import Kernels
import Testing

/// The row operations of every instruction set against double precision.
@Suite struct VectorTests {
  static let cases: [(InstructionSet, Int)] = InstructionSet.available.flatMap { set in
    [1, 15, 16, 33, 64, 576, 1000].map { (set, $0) }
  }

  private func table(_ set: InstructionSet) throws -> tk_kernels {
    try #require(tk_kernels_for(set.rawValue)).pointee
  }

  private func expectClose(
    _ values: [Float], _ wanted: [Double], tolerance: Double = 2e-6,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let largest = max(wanted.map(abs).max() ?? 0, 1e-30)
    let worst = zip(values, wanted).map { abs(Double($0) - $1) / largest }.max() ?? 0
    #expect(worst <= tolerance, sourceLocation: sourceLocation)
    #expect(!values.contains { $0.isNaN }, sourceLocation: sourceLocation)
  }

  @Test(arguments: cases)
  func norms(set: InstructionSet, count: Int) throws {
    let f = try table(set)
    var random = Random(UInt64(count))
    let x = random.floats(count, scale: 3), w = random.floats(count), b = random.floats(count)
    var out = [Float](repeating: 0, count: count)
    let n = Int64(count)
    f.rms_norm(x, w, n, 1e-5, &out)
    let meanSquare = x.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(count)
    expectClose(
      out, zip(x, w).map { Double($0) * Double($1) / (meanSquare + 1e-5).squareRoot() })
    f.layer_norm(x, w, b, n, 1e-5, &out)
    let mean = x.reduce(0.0) { $0 + Double($1) } / Double(count)
    let variance = x.reduce(0.0) { $0 + pow(Double($1) - mean, 2) } / Double(count)
    expectClose(
      out,
      (0..<count).map {
        (Double(x[$0]) - mean) / (variance + 1e-5).squareRoot() * Double(w[$0]) + Double(b[$0])
      }, tolerance: 1e-5)
  }

  @Test(arguments: cases)
  func activations(set: InstructionSet, count: Int) throws {
    let f = try table(set)
    var random = Random(UInt64(count))
    var x = random.floats(count, scale: 8)
    x[0] = -200
    if count > 3 {
      x[1] = 200
      x[2] = 0
    }
    let up = random.floats(count)
    var out = [Float](repeating: 0, count: count)
    let functions: [(Double) -> Double] = [
      { $0 / (1 + exp(-$0)) },
      { 0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) },
      { 0.5 * $0 * (1 + erf($0 / 2.0.squareRoot())) },
    ]
    for (kind, function) in functions.enumerated() {
      f.gated(x, up, Int64(count), Int32(kind), &out)
      for index in 0..<count {
        let wanted = function(Double(x[index])) * Double(up[index])
        #expect(abs(Double(out[index]) - wanted) <= 2e-6 * max(1, abs(wanted)))
      }
      f.gated(x, nil, Int64(count), Int32(kind), &out)
      for index in 0..<count {
        let wanted = function(Double(x[index]))
        #expect(abs(Double(out[index]) - wanted) <= 2e-6 * max(1, abs(wanted)))
      }
    }
    f.gated(x, up, Int64(count), ActivationFunction.sigmoid.rawValue, &out)
    for index in 0..<count {
      let wanted = Double(up[index]) / (1 + exp(-Double(x[index])))
      #expect(abs(Double(out[index]) - wanted) <= 2e-6 * max(1, abs(wanted)))
    }
    f.gated(x, nil, Int64(count), ActivationFunction.squaredReLU.rawValue, &out)
    for index in 0..<count {
      let above = max(Double(x[index]), 0)
      #expect(abs(Double(out[index]) - above * above) <= 2e-6 * max(1, above * above))
    }
    // gpt-oss's clamps both sides.
    let wide = up.map { $0 * 20 }
    f.gated(x, wide, Int64(count), ActivationFunction.clampedSwiGLU.rawValue, &out)
    for index in 0..<count {
      let gate = min(Double(x[index]), 7), other = min(max(Double(wide[index]), -7), 7)
      let wanted = gate / (1 + exp(-1.702 * gate)) * (other + 1)
      #expect(abs(Double(out[index]) - wanted) <= 3e-6 * max(1, abs(wanted)))
    }
  }

  @Test(arguments: cases)
  func reductions(set: InstructionSet, count: Int) throws {
    let f = try table(set)
    var random = Random(UInt64(count))
    let n = Int64(count)
    for round in 0..<20 {
      var x = random.floats(count, scale: 20)
      if round % 4 == 1 { x[count / 2] = 20 }
      if round % 4 == 2 {
        x[count / 3] = 21
        x[count - 1] = 21
      }
      if round % 4 == 3, count > 1 { x[0] = .nan }
      let clean = x.map { $0.isNaN ? -Float.infinity : $0 }
      let largest = clean.max() ?? 0
      #expect(Int(f.argmax(x, n)) == clean.firstIndex(of: largest))
      #expect(f.maximum(clean, n) == largest)
      for bound in [largest, 5, -Float.infinity] {
        let first = Int64(round % 3) * n / 3
        let expected = x[Int(first)...].firstIndex { $0 >= bound } ?? count
        #expect(Int(f.find_at_least(x, bound, first, n)) == expected)
      }
      let sum = clean.reduce(0.0) { $0 + exp(Double($1) - Double(largest)) }
      #expect(abs(f.exp_sum(clean, largest, n) - sum) < 1e-6 * sum)
      var scaled = clean
      f.exp_scale(&scaled, largest, 0.5, n)
      expectClose(scaled, clean.map { 0.5 * exp(Double($0) - Double(largest)) })
      let y = random.floats(count)
      let dot = zip(clean, y).reduce(0.0) { $0 + ($1.0.isFinite ? Double($1.0) * Double($1.1) : 0) }
      if clean.allSatisfy(\.isFinite) {
        #expect(abs(f.dot(clean, y, n) - dot) < 1e-4)
      }
    }
  }

  @Test(arguments: cases)
  func elementwise(set: InstructionSet, count: Int) throws {
    let f = try table(set)
    var random = Random(UInt64(count))
    let x = random.floats(count), y = random.floats(count)
    var out = x
    f.add(&out, y, Int64(count))
    #expect(out == zip(x, y).map { $0 + $1 })
    out = x
    f.scale(&out, 0.3, Int64(count))
    #expect(out == x.map { $0 * 0.3 })
    out = x.map { 40 * $0 }
    f.soften_range(&out, 7, Int64(count))
    expectClose(out, x.map { 7 * tanh(40 * Double($0) / 7) })
    out = x
    f.add_scaled(&out, y, 0.3, Int64(count))
    expectClose(out, zip(x, y).map { Double($0) + 0.3 * Double($1) })
  }

  @Test(arguments: cases, [1, 3, 8])
  func rowsTimesFactors(_ chosen: (InstructionSet, Int), rowCount: Int) throws {
    let (set, count) = chosen
    let f = try table(set)
    var random = Random(UInt64(count + rowCount))
    let stride = count + 5
    let rows = random.floats(rowCount * stride), factors = random.floats(rowCount)
    let x = random.floats(count)
    var out = x
    f.add_rows(&out, rows, Int64(stride), factors, Int64(rowCount), Int64(count))
    expectClose(
      out,
      x.indices.map { index in
        (0..<rowCount).reduce(Double(x[index])) {
          $0 + Double(factors[$1]) * Double(rows[$1 * stride + index])
        }
      })
  }

  @Test(arguments: InstructionSet.available)
  func tilesOfBytes(set: InstructionSet) throws {
    let f = try table(set)
    var random = Random(8)
    for (rank, rows, count) in [
      (8, 1, 64), (8, 4, 576), (3, 5, 100), (1, 9, 15), (32, 2, 81), (5, 6, 16),
    ] {
      let tiles = (count + 15) / 16
      let bytes = random.floats(tiles * rank * 16, scale: 127).map { Int8($0) }
      let (stride, factorStride) = (count + 3, rank + 2)
      let factors = random.floats(rows * factorStride)
      let x = random.floats(rows * stride)
      var out = x
      f.add_tiles(
        &out, Int64(stride), bytes, Int64(rank), factors, Int64(factorStride), Int64(rows),
        Int64(count))
      var wanted = x.map(Double.init)
      for row in 0..<rows {
        for index in 0..<count {
          for k in 0..<rank {
            wanted[row * stride + index] +=
              Double(factors[row * factorStride + k])
              * Double(bytes[(index / 16 * rank + k) * 16 + index % 16])
          }
        }
      }
      expectClose(out, wanted)
    }
  }

  @Test func tilesAreBRounded() throws {
    var random = Random(9)
    let columns = try FloatBuffer(rows: 3, width: 40)
    for (index, value) in random.floats(120, scale: 0.02).enumerated() {
      columns.pointer[index] = value
    }
    for output in 0..<40 { columns[1, output] = 0 }
    let tiles = try ByteTiles(rounding: columns)
    let back = try tiles.floats()
    for column in 0..<3 {
      for output in 0..<40 {
        #expect(abs(back[column, output] - columns[column, output]) <= tiles.scales[column] / 1.9)
      }
    }
    #expect(tiles.scales[1] == 1 && tiles.byteCount == 3 * 48)
  }

  @Test(arguments: InstructionSet.available, [RotaryEmbedding.Style.interleaved, .halves])
  func rotation(set: InstructionSet, style: RotaryEmbedding.Style) throws {
    let f = try table(set)
    var random = Random(3)
    for (headDim, pairs) in [(64, 32), (256, 128), (40, 20), (64, 16), (6, 3)] {
      let heads = 3
      let x = random.floats(heads * headDim)
      let angles = random.floats(pairs, scale: 6)
      var out = x
      f.rotary(
        &out, Int64(heads), Int64(headDim), Int64(pairs), angles.map(cos), angles.map(sin),
        style.rawValue)
      var wanted = x.map(Double.init)
      for head in 0..<heads {
        for pair in 0..<pairs {
          let (i, j) = style == .halves ? (pair, pair + pairs) : (2 * pair, 2 * pair + 1)
          let a = wanted[head * headDim + i], b = wanted[head * headDim + j]
          let (c, s) = (Double(cos(angles[pair])), Double(sin(angles[pair])))
          wanted[head * headDim + i] = a * c - b * s
          wanted[head * headDim + j] = b * c + a * s
        }
      }
      expectClose(out, wanted)
    }
  }

  /// Fused operations quantise to the same numbers as the plain ones followed by `quantize`.
  @Test(arguments: cases)
  func fusedQuantization(set: InstructionSet, count: Int) throws {
    var random = Random(UInt64(count))
    let x = random.floats(count, scale: 3), w = random.floats(count)
    let plain = try Activations(
      maxRows: 1, width: count, precision: .float, instructionSet: set)
    let fused = try Activations(
      maxRows: 1, width: count, precision: .quantized, instructionSet: set)
    let separate = try Activations(
      maxRows: 1, width: count, precision: .quantized, instructionSet: set)
    let weights = random.floats(4 * count)
    let matrix = try weights.withUnsafeBytes {
      try WeightMatrix(
        outputs: 4, inputs: count, elementType: .f32, bytes: $0, precision: .quantized,
        instructionSet: set)
    }
    for operation in 0..<6 {
      for target in [plain, fused] {
        switch operation {
        case 0:
          target.rmsNorm(
            x, stride: count, weight: w, epsilon: 1e-6, rows: 0..<1, worker: .alone)
        case 1:
          target.gated(
            x, w, stride: count, function: .silu, rows: 0..<1, worker: .alone)
        case 2:
          target.gated(
            x, w, stride: count, function: .clampedSwiGLU, rows: 0..<1, worker: .alone)
        case 3:
          target.gated(
            x, w, stride: count, function: .sigmoid, rows: 0..<1, worker: .alone)
        case 4:
          target.gated(
            x, nil, stride: count, function: .squaredReLU, rows: 0..<1, worker: .alone)
        default:
          target.gated(
            x, nil, stride: count, function: .geluErf, rows: 0..<1, worker: .alone)
        }
      }
      separate.floats.pointer.update(from: plain.floats.pointer, count: count)
      separate.quantize(rows: 0..<1, worker: .alone)
      var a = [Float](repeating: 0, count: 4), b = a
      matrix.multiply(fused, rows: 0..<1, into: &a, stride: 4, worker: .alone)
      matrix.multiply(separate, rows: 0..<1, into: &b, stride: 4, worker: .alone)
      #expect(a == b)
    }
  }

  @Test func poolingAndSoftmax() {
    var random = Random(8)
    let rows = 5, width = 50
    let x = random.floats(rows * width)
    var out = [Float](repeating: 0, count: width)
    VectorOperations.meanPool(x, rows: rows, width: width, into: &out)
    let sums = (0..<width).map { k in (0..<rows).reduce(0.0) { $0 + Double(x[$1 * width + k]) } }
    let length = sums.reduce(0) { $0 + $1 * $1 }.squareRoot()
    expectClose(out, sums.map { $0 / length })
    var logits = x
    VectorOperations.softmax(&logits, count: x.count)
    let total = x.reduce(0.0) { $0 + exp(Double($1)) }
    expectClose(logits, x.map { exp(Double($0)) / total })
    #expect(abs(VectorOperations.logSumExp(x, count: x.count) - log(total)) < 1e-6)
  }
}
