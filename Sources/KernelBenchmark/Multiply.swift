import Foundation
import Kernels

private struct Shape {
  let name: String
  let type: ElementType
  let outputs: Int
  let inputs: Int
}

private let shapes = [
  Shape(name: "SmolLM2 up", type: .q4_1, outputs: 1536, inputs: 576),
  Shape(name: "SmolLM2 down", type: .q4_1, outputs: 576, inputs: 1536),
  Shape(name: "SmolLM2 key", type: .q4_1, outputs: 192, inputs: 576),
  Shape(name: "SmolLM2 head", type: .q8_0, outputs: 49152, inputs: 576),
  Shape(name: "Gemma up", type: .q5_0, outputs: 2048, inputs: 640),
  Shape(name: "Gemma down", type: .q6_K, outputs: 640, inputs: 2048),
  Shape(name: "Gemma down", type: .q4_K, outputs: 640, inputs: 2048),
  Shape(name: "MiniLM up", type: .f32, outputs: 1536, inputs: 384),
  Shape(name: "MiniLM down", type: .f32, outputs: 384, inputs: 1536),
]

func benchmarkMultiply(_ set: InstructionSet) throws {
  for shape in shapes {
    // Enough copies that decoding reads memory, not the cache.
    let size = shape.outputs * shape.inputs
    let copies = set == .generic ? 1 : max(1, 64_000_000 / size)
    let bytes = size / shape.type.blockSize * shape.type.bytesPerBlock
    var tensor = [UInt8](repeating: 0, count: bytes)
    for index in tensor.indices { tensor[index] = UInt8(truncatingIfNeeded: index &* 37) & 0x3b }
    let matrices = try (0..<copies).map { _ in
      try tensor.withUnsafeBytes {
        try WeightMatrix(
          outputs: shape.outputs, inputs: shape.inputs, elementType: shape.type, bytes: $0,
          precision: .quantized, pool: pool, instructionSet: set)
      }
    }
    for rows in [1, 8, 12, 64, 512] {
      if rows > 64 && (shape.outputs > 4096 || set == .generic) { continue }
      let x = try Activations(
        maxRows: rows, width: shape.inputs, precision: .quantized, instructionSet: set)
      for index in 0..<x.floats.count { x.floats.pointer[index] = Float(index % 13) - 6 }
      x.quantize(rows: 0..<rows, worker: .alone)
      let out = try FloatBuffer(rows: rows, width: shape.outputs)
      let used = rows == 1 ? copies : min(copies, max(1, 64 / rows))
      let seconds =
        best(max(5, min(200, 400 / rows))) { worker in
          for matrix in matrices.prefix(used) {
            matrix.multiply(
              x, rows: 0..<rows, into: out.pointer, stride: shape.outputs, worker: worker)
          }
        } / Double(used)
      let operations = 2 * Double(rows * size) / seconds * 1e-9
      let traffic = Double(matrices[0].byteCount) / seconds * 1e-9
      show(
        "\(set.name) \(shape.name) \(shape.type) \(rows)x\(shape.outputs)x\(shape.inputs)",
        number(operations, "GOP/s"), number(100 * operations / limits.integerGigaOps, "%"),
        number(traffic, "GB/s"), number(100 * traffic / limits.gigabytes, "%"))
    }
  }
}
