import CKernels
import Kernels
import Testing

/// Mamba-2's recurrence, of every instruction set, against double precision.
@Suite struct StateSpaceTests {
  static let cases: [(InstructionSet, Int)] = InstructionSet.available.flatMap { set in
    [1, 16, 30, 128].map { (set, $0) }
  }

  /// In parts of even and odd lengths: the state is all that one knows of those before.
  @Test(arguments: cases) func recurrence(set: InstructionSet, stateSize: Int) throws {
    let width = StateSpace.tileWidth
    let tokens = 9, mapStride = 2 * stateSize + 3, valueStride = width + 5, gateStride = 2
    var random = Random(UInt64(stateSize))
    var state = random.floats(stateSize * width)
    let scale = 1 / Float(stateSize).squareRoot()
    let maps = random.floats(tokens * mapStride, scale: scale)
    let values = random.floats(tokens * valueStride)
    let decays = random.floats(tokens * gateStride).map { 0.5 + $0 / 2 }
    let steps = random.floats(tokens * gateStride).map { 0.5 + $0 / 2 }
    let skip: Float = 0.75
    var wanted = state.map { Double($0) }
    var answers: [Double] = []
    for token in 0..<tokens {
      for column in 0..<width {
        let value = Double(values[token * valueStride + column])
        let change = value * Double(steps[token * gateStride])
        var sum = value * Double(skip)
        for row in 0..<stateSize {
          let place = row * width + column
          wanted[place] =
            wanted[place] * Double(decays[token * gateStride])
            + change * Double(maps[token * mapStride + row])
          sum += wanted[place] * Double(maps[token * mapStride + stateSize + row])
        }
        answers.append(sum)
      }
    }
    var output = [Float](repeating: .nan, count: tokens * width)
    let kernels = try #require(tk_kernels_for(set.rawValue)).pointee
    for part in [0..<1, 1..<5, 5..<tokens] {
      maps.withUnsafeBufferPointer { maps in
        values.withUnsafeBufferPointer { values in
          output.withUnsafeMutableBufferPointer { output in
            guard let maps = maps.baseAddress, let values = values.baseAddress,
              let output = output.baseAddress
            else { return }
            let first = part.lowerBound
            let start = maps + first * mapStride
            kernels.state_space(
              &state, Int64(stateSize), start, start + stateSize, Int64(mapStride),
              values + first * valueStride, Int64(valueStride),
              Array(decays[(first * gateStride)...]), Array(steps[(first * gateStride)...]),
              Int64(gateStride), skip, Int64(part.count), output + first * width, Int64(width))
          }
        }
      }
    }
    #expect(zip(output, answers).allSatisfy { abs(Double($0) - $1) < 5e-6 })
    #expect(zip(state, wanted).allSatisfy { abs(Double($0) - $1) < 5e-6 })
  }
}
