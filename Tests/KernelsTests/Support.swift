import Foundation
import Kernels

/// Numbers that are the same in every run.
struct Random {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state &* 0x2545_F491_4F6C_DD1D
  }
  /// In -1..<1.
  mutating func float() -> Float { Float(Int32(truncatingIfNeeded: next() >> 32)) / 2_147_483_648 }
  mutating func floats(_ count: Int, scale: Float = 1) -> [Float] {
    (0..<count).map { _ in float() * scale }
  }
  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 40) }
  }
}

/// What the scales of a random tensor are like.
enum ScaleKind: CaseIterable { case ordinary, subnormal, large, zero }

extension ElementType {
  /// Places of the f16 scales in a block.
  var halfOffsets: [Int] {
    switch self {
    case .f32, .f16, .bf16, .mxfp4: []
    case .q4_0, .q5_0, .q8_0, .iq4_NL, .iq4_XS: [0]
    case .q4_1, .q5_1, .q4_K, .q5_K: [0, 2]
    case .q2_K: [80, 82]
    case .q3_K: [108]
    case .q6_K: [208]
    }
  }

  static var quantized: [ElementType] { allCases.filter { $0.blockSize > 1 } }

  /// A tensor of random blocks. // (rows, inputs)
  func randomTensor(
    rows: Int, inputs: Int, scales: ScaleKind = .ordinary, random: inout Random
  ) -> [UInt8] {
    if blockSize == 1 {
      return (0..<rows * inputs).flatMap { _ -> [UInt8] in
        let value = random.float()
        switch self {
        case .f32: return withUnsafeBytes(of: value) { Array($0) }
        case .bf16: return withUnsafeBytes(of: UInt16(value.bitPattern >> 16)) { Array($0) }
        default: return withUnsafeBytes(of: Float16(value).bitPattern) { Array($0) }
        }
      }
    }
    let blocks = rows * inputs / blockSize
    var bytes = random.bytes(blocks * bytesPerBlock)
    if self == .mxfp4 {
      // One exponent a block instead of an f16 scale.
      for block in 0..<blocks {
        let exponent: ClosedRange<UInt8> =
          switch scales {
          case .ordinary: 112...125
          case .subnormal: 20...30
          case .large: 150...160
          case .zero: 127...127
          }
        if scales == .zero {
          for index in 1..<bytesPerBlock { bytes[block * bytesPerBlock + index] = 0x80 }
        }
        bytes[block * bytesPerBlock] =
          exponent.lowerBound + UInt8(random.next() % UInt64(exponent.count))
      }
    }
    for block in 0..<blocks {
      for offset in halfOffsets {
        let value: Float =
          switch scales {
          case .ordinary: random.float() * 0.05
          case .subnormal: random.float() * 3e-5
          case .large: random.float() * 2000
          case .zero: 0
          }
        let bits = Float16(value).bitPattern
        bytes[block * bytesPerBlock + offset] = UInt8(truncatingIfNeeded: bits)
        bytes[block * bytesPerBlock + offset + 1] = UInt8(truncatingIfNeeded: bits >> 8)
      }
    }
    return bytes
  }
}

/// What int8 quantisation in blocks of 32 makes of a row.
func quantizedRow(_ x: [Float]) -> [Double] {
  stride(from: 0, to: x.count, by: 32).flatMap { start -> [Double] in
    let block = x[start..<min(start + 32, x.count)]
    let largest = block.map(abs).max() ?? 0
    let inverse = largest > 1e-35 ? 127 / largest : 0
    return block.map { Double(($0 * inverse).rounded(.toNearestOrEven)) * Double(largest / 127) }
  }
}

/// (rows, inputs) x (outputs, inputs)^T in double precision, and the sums of absolute products.
func reference(
  _ x: [[Double]], _ weights: [Float], outputs: Int
) -> (values: [[Double]], magnitudes: [[Double]]) {
  var values: [[Double]] = []
  var magnitudes: [[Double]] = []
  for row in x {
    var value = [Double](repeating: 0, count: outputs)
    var magnitude = value
    for output in 0..<outputs {
      for k in 0..<row.count {
        let product = row[k] * Double(weights[output * row.count + k])
        value[output] += product
        magnitude[output] += abs(product)
      }
    }
    values.append(value)
    magnitudes.append(magnitude)
  }
  return (values, magnitudes)
}

/// What `body` makes of a root folder that holds these files, by their paths.
func withSystemFiles<Result>(_ files: [String: String], _ body: (String) -> Result) throws -> Result
{
  let root = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
  defer { try? FileManager.default.removeItem(at: root) }
  for (path, text) in files {
    let file = root.appendingPathComponent(path)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data((text + "\n").utf8).write(to: file)
  }
  return body(root.path)
}
