import Kernels

/// Norms and activations, which pass over rows once.
func benchmarkRows(_ set: InstructionSet) throws {
  for (rows, width) in [(1, 576), (512, 576), (512, 1536)] {
    let x = try FloatBuffer(rows: rows, width: width)
    let y = try FloatBuffer(rows: rows, width: width)
    for index in 0..<x.count { x.pointer[index] = Float(index % 13) - 6 }
    let out = try Activations(
      maxRows: rows, width: width, precision: .quantized, instructionSet: set)
    let cases: [(String, (Worker) -> Void)] = [
      (
        "rmsNorm + quantize",
        {
          out.rmsNorm(
            x.pointer, stride: width, weight: y.pointer, epsilon: 1e-5, rows: 0..<rows, worker: $0)
        }
      ),
      (
        "silu gated + quantize",
        {
          out.gated(
            x.pointer, y.pointer, stride: width, function: .silu, rows: 0..<rows, worker: $0)
        }
      ),
      (
        "geluErf + quantize",
        {
          out.gated(x.pointer, nil, stride: width, function: .geluErf, rows: 0..<rows, worker: $0)
        }
      ),
    ]
    for (name, body) in cases {
      let seconds = best(50, body)
      show(
        "\(set.name) \(name) \(rows)x\(width)", number(seconds * 1e6, "us"),
        number(seconds * 1e9 / Double(rows * width), "ns/element"))
    }
  }
}
