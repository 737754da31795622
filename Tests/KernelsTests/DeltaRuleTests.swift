import CKernels
import Foundation
import Kernels
import Testing

/// The gated delta rule and its convolution, of every instruction set, against double precision.
@Suite struct DeltaRuleTests {
  static let cases: [(InstructionSet, Int)] = InstructionSet.available.flatMap { set in
    [2, 16, 30, 128].map { (set, $0) }
  }

  private func table(_ set: InstructionSet) throws -> tk_kernels {
    try #require(tk_kernels_for(set.rawValue)).pointee
  }

  @Test(arguments: cases) func rule(set: InstructionSet, keyDim: Int) throws {
    let width = DeltaRule.tileWidth
    let tokens = 9, keyStride = 2 * keyDim + 3, valueStride = width + 5, gateStride = 2
    var random = Random(UInt64(keyDim))
    var state = random.floats(keyDim * width)
    let scale = 1 / Float(keyDim).squareRoot()
    let keys = random.floats(tokens * keyStride, scale: scale)
    let values = random.floats(tokens * valueStride)
    let decays = random.floats(tokens * gateStride).map { 0.5 + $0 / 2 }
    let betas = random.floats(tokens * gateStride).map { 0.5 + $0 / 2 }
    var wanted = state.map { Double($0) }
    var answers: [Double] = []
    for token in 0..<tokens {
      let key = (0..<keyDim).map { Double(keys[token * keyStride + $0]) }
      let query = (0..<keyDim).map { Double(keys[token * keyStride + keyDim + $0]) }
      for column in 0..<width {
        for row in 0..<keyDim { wanted[row * width + column] *= Double(decays[token * gateStride]) }
        let known = (0..<keyDim).reduce(0) { $0 + wanted[$1 * width + column] * key[$1] }
        let change =
          Double(betas[token * gateStride])
          * (Double(values[token * valueStride + column]) - known)
        for row in 0..<keyDim { wanted[row * width + column] += key[row] * change }
        answers.append((0..<keyDim).reduce(0) { $0 + wanted[$1 * width + column] * query[$1] })
      }
    }
    var output = [Float](repeating: .nan, count: tokens * width)
    // In two parts: the state is all that the second knows of the first.
    let kernels = try table(set)
    for part in [0..<4, 4..<tokens] {
      keys.withUnsafeBufferPointer { keys in
        values.withUnsafeBufferPointer { values in
          output.withUnsafeMutableBufferPointer { output in
            guard let keys = keys.baseAddress, let values = values.baseAddress,
              let output = output.baseAddress
            else { return }
            let first = part.lowerBound
            kernels.delta_rule(
              &state, Int64(keyDim), keys + first * keyStride, keys + first * keyStride + keyDim,
              Int64(keyStride), values + first * valueStride, Int64(valueStride),
              Array(decays[(first * gateStride)...]), Array(betas[(first * gateStride)...]),
              Int64(gateStride), Int64(part.count), output + first * width, Int64(width))
          }
        }
      }
    }
    #expect(zip(output, answers).allSatisfy { abs(Double($0) - $1) < 5e-6 })
    #expect(zip(state, wanted).allSatisfy { abs(Double($0) - $1) < 5e-6 })
  }

  @Test(arguments: InstructionSet.available, [(1, true), (4, true), (3, false)])
  func convolution(set: InstructionSet, kind: (taps: Int, silu: Bool)) throws {
    let (taps, count, stride) = (kind.taps, 48, 50)
    var random = Random(UInt64(taps))
    let rows = random.floats(taps * count, scale: 2), weights = random.floats(taps * stride)
    var output = [Float](repeating: .nan, count: count)
    let kernels = try table(set)
    rows.withUnsafeBufferPointer { rows in
      let pointers = (0..<taps).map { tap in rows.baseAddress.map { $0 + tap * count } }
      kernels.short_convolution(
        pointers, weights, Int64(taps), Int64(stride), Int64(count), kind.silu, &output)
    }
    for index in 0..<count {
      let sum = (0..<taps).reduce(0.0) {
        $0 + Double(rows[$1 * count + index]) * Double(weights[$1 * stride + index])
      }
      let wanted = kind.silu ? sum / (1 + exp(-sum)) : sum
      #expect(abs(Double(output[index]) - wanted) < 5e-6)
    }
  }
}
