import Foundation
import Kernels
import Testing

@Suite struct DequantizeTests {
  @Test(arguments: ElementType.allCases.filter { $0 != .f32 })
  func equalsTheReference(type: ElementType) throws {
    let name = "\(type)".uppercased()
    let url = try #require(
      Bundle.module.url(
        forResource: "dequantize-\(name)", withExtension: "bin", subdirectory: "Fixtures"))
    let data = try Data(contentsOf: url)
    let count = Int(data.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) })
    let size = count / type.blockSize * type.bytesPerBlock
    #expect(data.count == 4 + size + 4 * count)
    let values = try data[4..<4 + size].withUnsafeBytes { bytes throws(KernelError) in
      try dequantize(type, bytes, count: count)
    }
    let expected = data.withUnsafeBytes { bytes in
      (0..<count).map { bytes.loadUnaligned(fromByteOffset: 4 + size + 4 * $0, as: Float.self) }
    }
    for (value, wanted) in zip(values, expected) where value != wanted {
      Issue.record("\(value) is not \(wanted)")
    }
  }

  @Test func refusesWrongSizes() {
    let bytes = [UInt8](repeating: 0, count: 40)
    bytes.withUnsafeBytes { bytes in
      #expect(throws: KernelError.wrongByteCount(field: "tensor", expected: 18, actual: 40)) {
        try dequantize(.q4_0, bytes, count: 32)
      }
      #expect(throws: KernelError.partialBlock(elementType: .q4_0, inputs: 33)) {
        try dequantize(.q4_0, bytes, count: 33)
      }
      #expect(throws: KernelError.invalidDimension(field: "inputs", value: -1)) {
        try dequantize(.f32, bytes, count: -1)
      }
    }
  }

  /// Rows out of the packed form are the file's numbers, to the bit where the file is quantised.
  @Test(arguments: ElementType.allCases)
  func packedRows(type: ElementType) throws {
    var random = Random(UInt64(type.rawValue) + 1)
    let outputs = 19
    let inputs = 512
    let tensor = type.randomTensor(rows: outputs, inputs: inputs, random: &random)
    try tensor.withUnsafeBytes { bytes in
      let expected = try dequantize(type, bytes, count: outputs * inputs)
      let tolerance: Float = type.blockSize == 1 ? 1 / 250 : 0
      for precision in [WeightMatrix.Precision.float, .quantized] {
        let matrix = try WeightMatrix(
          outputs: outputs, inputs: inputs, elementType: type, bytes: bytes, precision: precision)
        var row = [Float](repeating: 0, count: inputs)
        for output in 0..<outputs {
          matrix.copyRow(output, into: &row)
          for block in stride(from: 0, to: inputs, by: 32) {
            let wanted = expected[output * inputs + block..<output * inputs + block + 32]
            let largest = wanted.map(abs).max() ?? 0
            for (k, value) in wanted.enumerated() {
              let allowed = precision == .float ? 0 : tolerance * largest
              #expect(abs(row[block + k] - value) <= allowed)
            }
          }
        }
      }
    }
  }
}
