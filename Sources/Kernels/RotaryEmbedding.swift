import CKernels
import Foundation

/// Rotary position embedding from precomputed cosines and sines.
package final class RotaryEmbedding: Sendable {
  /// Which two numbers of a head form a pair.
  package enum Style: Int32, Sendable {
    /// Neighbours: (0, 1), (2, 3), … ("normal"; GGUF's llama family).
    case interleaved = 0
    /// Half a head apart: (0, n/2), (1, n/2 + 1), … ("neox"; Gemma).
    case halves = 1
  }

  package let style: Style
  package let headDim: Int
  /// Numbers of a head that are rotated, from the first on.
  package let rotatedDim: Int
  package let positions: Int
  private let table: [Float]  // (positions, 2, rotatedDim / 2): cosines, then sines

  /// `frequencyFactors`, one a pair, divide each pair's frequency (GGUF's rope_freqs). `magnitude` is
  /// a factor on the rotated numbers.
  package init(
    style: Style, headDim: Int, rotatedDim: Int? = nil, base: Double, positions: Int,
    frequencyFactors: [Double]? = nil, magnitude: Double = 1
  ) throws(KernelError) {
    let rotated = rotatedDim ?? headDim
    guard headDim > 0 else { throw .invalidDimension(field: "headDim", value: headDim) }
    guard rotated > 0, rotated <= headDim, rotated % 2 == 0 else {
      throw .invalidDimension(field: "rotatedDim", value: rotated)
    }
    let pairs = rotated / 2
    if let frequencyFactors, frequencyFactors.count != pairs {
      throw .invalidDimension(field: "frequencyFactors", value: frequencyFactors.count)
    }
    let bytes = try checkedByteCount(rows: positions, width: rotated, bytesPerElement: 4)
    self.style = style
    self.headDim = headDim
    self.rotatedDim = rotated
    self.positions = positions
    let frequencies = (0..<pairs).map { pair in
      pow(base, -2 * Double(pair) / Double(rotated)) / (frequencyFactors?[pair] ?? 1)
    }
    table = [Float](unsafeUninitializedCapacity: bytes / 4) { buffer, initialized in
      for position in 0..<positions {
        for (pair, frequency) in frequencies.enumerated() {
          let angle = Double(position) * frequency
          buffer[position * rotated + pair] = Float(magnitude * cos(angle))
          buffer[position * rotated + pairs + pair] = Float(magnitude * sin(angle))
        }
      }
      initialized = bytes / 4
    }
  }

  /// Rotates `heads` heads at `x` in place for one position. // (heads, headDim)
  package func rotate(_ x: UnsafeMutablePointer<Float>, heads: Int, position: Int) {
    precondition(position >= 0 && position < positions, "position \(position) of \(positions)")
    table.withUnsafeBufferPointer { table in
      guard let base = table.baseAddress else { return }
      rotate(x, heads: heads, by: base + position * rotatedDim)
    }
  }

  /// The same by cosines and sines that the caller put together. // row (2, rotatedDim / 2)
  package func rotate(
    _ x: UnsafeMutablePointer<Float>, heads: Int, by row: UnsafePointer<Float>
  ) {
    let pairs = rotatedDim / 2
    kernels.rotary(
      x, Int64(heads), Int64(headDim), Int64(pairs), row, row + pairs, style.rawValue)
  }

  /// What a pair is rotated by at a position: cosine and sine.
  package func rotation(position: Int, pair: Int) -> (Float, Float) {
    precondition(position >= 0 && position < positions, "position \(position) of \(positions)")
    let place = position * rotatedDim + pair
    return (table[place], table[place + rotatedDim / 2])
  }
}
