import Kernels
import Transformer

/// Patches to rows as wide as the language model's embeddings.
struct VisionConnector: Sendable {
  private let matrix: WeightMatrix  // (outputWidth, connectorWidth)
  /// What averaged patches are normalised by. // (width)
  private let norm: FloatBuffer?
  private let joined: Activations  // (rowsPerTile, connectorWidth)
  private let configuration: VisionConfiguration
  /// The language model's width.
  let outputWidth: Int

  init(_ configuration: VisionConfiguration, _ loader: WeightLoader) throws {
    self.configuration = configuration
    let inputs = configuration.connectorWidth
    func width(of name: String, at place: Int) throws(ModelError) -> Int {
      let shape = try loader.shape(of: name)
      guard shape.count == 2, (1...VisionConfiguration.Limit.outputWidth).contains(shape[place])
      else { throw .wrongShape(tensor: name, shape: shape, expected: [inputs, inputs]) }
      return shape[place]
    }
    switch configuration.connector {
    case .pixelShuffle:
      let name = "mm.model.fc.weight"
      outputWidth = try width(of: name, at: 0)
      matrix = try loader.matrix(name, outputs: outputWidth, inputs: inputs)
      norm = nil
    case .averagePool:
      let name = "mm.input_projection.weight"
      outputWidth = try width(of: name, at: 1)
      // The files have it the other way round than all others.
      let values = try loader.floats(name, shape: [inputs, outputWidth])
      var turned = [Float](repeating: 0, count: values.count)
      for input in 0..<inputs {
        for output in 0..<outputWidth {
          turned[output * inputs + input] = values[input * outputWidth + output]
        }
      }
      matrix = try loader.matrix(name, floats: turned, outputs: outputWidth, inputs: inputs)
      norm = try loader.vector("mm.soft_emb_norm.weight", count: inputs)
    }
    joined = try Activations(
      maxRows: configuration.rowsPerTile, width: inputs, precision: loader.precision)
  }

  /// Bytes that its matrix takes.
  var byteCount: Int { matrix.byteCount }

  /// Every worker calls it. // patches (patches, width), output (rowsPerTile, outputWidth)
  /// - Parameter scratch: As large as `patches`.
  func apply(
    _ patches: FloatBuffer, scratch: FloatBuffer, into output: UnsafeMutablePointer<Float>,
    _ worker: Worker
  ) {
    let rows = 0..<configuration.rowsPerTile
    switch configuration.connector {
    case .pixelShuffle(let factor):
      for row in worker.range(of: rows.count) { join(row, of: patches, factor) }
      worker.barrier()
      joined.quantize(rows: rows, worker: worker)
    case .averagePool(let kernel):
      for row in worker.range(of: rows.count) { average(row, of: patches, kernel, into: scratch) }
      if let norm {
        joined.rmsNorm(
          scratch.pointer, stride: scratch.width, weight: norm.pointer,
          epsilon: configuration.normEpsilon, rows: rows, worker: worker)
      }
    }
    worker.barrier()
    matrix.multiply(joined, rows: rows, into: output, stride: outputWidth, worker: worker)
  }

  /// The first patch of each row of patches that become embedding `row`.
  private func firsts(_ row: Int, _ factor: Int) -> [Int] {
    let (down, right) = (row / configuration.rowsPerSide, row % configuration.rowsPerSide)
    return (0..<factor).map { (down * factor + $0) * configuration.side + right * factor }
  }

  /// Patches of a square one behind the other, row by row.
  private func join(_ row: Int, of patches: FloatBuffer, _ factor: Int) {
    let width = factor * configuration.width
    for (index, first) in firsts(row, factor).enumerated() {
      // Neighbours in a row lie together already.
      (joined.floats.row(row) + index * width).update(from: patches.row(first), count: width)
    }
  }

  private func average(
    _ row: Int, of patches: FloatBuffer, _ kernel: Int, into target: FloatBuffer
  ) {
    let width = configuration.width
    target.row(row).update(repeating: 0, count: width)
    for first in firsts(row, kernel) {
      for patch in first..<first + kernel {
        VectorOperations.add(patches.row(patch), to: target.row(row), count: width, worker: .alone)
      }
    }
    VectorOperations.scale(target.row(row), by: 1 / Float(kernel * kernel), count: width)
  }
}
