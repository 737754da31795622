import Foundation
import Kernels
import Testing
import Transformer

/// Slices of a dense block as experts: all of them are the block.
@Suite struct FeedForwardSlicesTests {
  private static let width = 24
  private static let inner = 96
  private let gate = noise(inner, width: width, seed: 41).flatMap { $0 }
  private let up = noise(inner, width: width, seed: 42).flatMap { $0 }
  private let down = noise(width, width: inner, seed: 43).flatMap { $0 }

  /// down(silu(gate(x)) * up(x)) with plain matrices.
  private func block(
    _ x: [Float], gate: [Float], up: [Float], down: [Float], inner: Int
  ) -> [Float] {
    func times(_ matrix: [Float], _ x: [Float]) -> [Float] {
      (0..<matrix.count / x.count).map { row in
        var sum: Float = 0
        for column in x.indices { sum += matrix[row * x.count + column] * x[column] }
        return sum
      }
    }
    let hidden = zip(times(gate, x), times(up, x)).map { $0 / (1 + exp(-$0)) * $1 }
    return times(down, hidden)
  }

  private func floats(_ bytes: some Collection<UInt8>) -> [Float] {
    Array(bytes).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }

  @Test(arguments: [1, 2, 3, 8, 96]) func allSlicesAreTheDenseBlock(count: Int) throws {
    let slices = try FeedForwardSlices(innerWidth: Self.inner, count: count)
    #expect(slices.ranges.flatMap { Array($0) } == Array(0..<Self.inner))
    let x = noise(1, width: Self.width, seed: 44)[0]
    let dense = block(x, gate: gate, up: up, down: down, inner: Self.inner)
    var sum = [Float](repeating: 0, count: Self.width)
    for slice in 0..<count {
      let parts = try [gate, up].map { matrix in
        try matrix.withUnsafeBytes { bytes in
          floats(
            try slices.rows(of: bytes, elementType: .f32, inputs: Self.width, slice: slice))
        }
      }
      let columns = try down.withUnsafeBytes { bytes in
        floats(
          try slices.columns(of: bytes, elementType: .f32, outputs: Self.width, slice: slice))
      }
      let part = block(
        x, gate: parts[0], up: parts[1], down: columns, inner: Self.inner / count)
      for index in sum.indices { sum[index] += part[index] }
    }
    let scale = dense.map(abs).max() ?? 1
    #expect(sum.largestDifference(to: dense) < 1e-5 * scale)
  }

  /// Blocks of a quantised type move whole.
  @Test func quantisedColumnsKeepTheirBlocks() throws {
    let slices = try FeedForwardSlices(innerWidth: 128, count: 2)
    // Two rows of four blocks of 34 bytes, each filled with its number.
    let tensor = (0..<8).flatMap { [UInt8](repeating: UInt8($0), count: 34) }
    let second = try tensor.withUnsafeBytes {
      try slices.columns(of: $0, elementType: .q8_0, outputs: 2, slice: 1)
    }
    #expect(second == [2, 3, 6, 7].flatMap { [UInt8](repeating: $0, count: 34) })
    let narrow = try FeedForwardSlices(innerWidth: 128, count: 8)
    #expect(throws: ModelError.self) {
      try tensor.withUnsafeBytes {
        _ = try narrow.columns(of: $0, elementType: .q8_0, outputs: 2, slice: 0)
      }
    }
  }

  @Test func whatCannotBeCut() throws {
    for (width, count) in [(96, 5), (96, 0), (96, -1), (0, 1), (-96, 2), (96, Int.max)] {
      #expect(throws: ModelError.self) {
        try FeedForwardSlices(innerWidth: width, count: count)
      }
    }
    let slices = try FeedForwardSlices(innerWidth: 96, count: 2)
    for (inputs, slice) in [(24, 2), (24, -1), (23, 0), (0, 0), (-1, 0), (Int.max, 0)] {
      #expect(throws: ModelError.self) {
        try gate.withUnsafeBytes {
          _ = try slices.rows(of: $0, elementType: .f32, inputs: inputs, slice: slice)
        }
      }
    }
    for outputs in [23, 0, -1, Int.max] {
      #expect(throws: ModelError.self) {
        try down.withUnsafeBytes {
          _ = try slices.columns(of: $0, elementType: .f32, outputs: outputs, slice: 0)
        }
      }
    }
  }
}
