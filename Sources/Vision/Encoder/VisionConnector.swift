import Kernels
import Transformer

/// Patches to rows as wide as the language model's embeddings.
struct VisionConnector: Sendable {
  private enum Kind: Sendable {
    case shuffle(WeightMatrix, factor: Int)
    /// With what averaged patches are normalised by. // (width)
    case pool(WeightMatrix, norm: FloatBuffer, kernel: Int)
    case merge(PatchMerger)
  }

  private let kind: Kind
  private let configuration: VisionConfiguration
  /// The language model's width.
  let outputWidth: Int

  init(_ configuration: VisionConfiguration, _ loader: WeightLoader) throws {
    self.configuration = configuration
    let inputs = configuration.connectorWidth
    switch configuration.connector {
    case .pixelShuffle(let factor):
      let name = "mm.model.fc.weight"
      outputWidth = try loader.outputWidth(of: name, inputs: inputs, at: 0)
      kind = .shuffle(
        try loader.matrix(name, outputs: outputWidth, inputs: inputs), factor: factor)
    case .averagePool(let kernel):
      let name = "mm.input_projection.weight"
      outputWidth = try loader.outputWidth(of: name, inputs: inputs, at: 1)
      // The files have it the other way round than all others.
      let values = try loader.floats(name, shape: [inputs, outputWidth])
      var turned = [Float](repeating: 0, count: values.count)
      for input in 0..<inputs {
        for output in 0..<outputWidth {
          turned[output * inputs + input] = values[input * outputWidth + output]
        }
      }
      kind = .pool(
        try loader.matrix(name, floats: turned, outputs: outputWidth, inputs: inputs),
        norm: try loader.vector("mm.soft_emb_norm.weight", count: inputs), kernel: kernel)
    case .merger:
      let merger = try PatchMerger(configuration, loader)
      outputWidth = merger.outputWidth
      kind = .merge(merger)
    }
  }

  /// Bytes that its matrices take.
  var byteCount: Int {
    switch kind {
    case .shuffle(let matrix, _), .pool(let matrix, _, _): matrix.byteCount
    case .merge(let merger): merger.byteCount
    }
  }

  /// Makes some rows. Every worker calls it. // patches (patches, width), output (all rows, stride)
  /// - Parameter scratch: As large as `patches`.
  func apply(
    _ rows: Range<Int>, of patches: FloatBuffer, _ buffers: VisionBuffers, scratch: FloatBuffer,
    into output: UnsafeMutablePointer<Float>, stride: Int, _ worker: Worker
  ) {
    let joined = buffers.joined
    let matrix: WeightMatrix
    switch kind {
    case .merge(let merger):
      return merger.apply(rows, of: patches, buffers, into: output, stride: stride, worker)
    case .shuffle(let map, _):
      matrix = map
      for index in worker.range(of: rows.count) {
        let row = rows.lowerBound + index
        configuration.join(row, of: patches, buffers.grid, into: joined.floats.row(row))
      }
      worker.barrier()
      joined.quantize(rows: rows, worker: worker)
    case .pool(let map, let norm, let kernel):
      matrix = map
      for index in worker.range(of: rows.count) {
        let row = rows.lowerBound + index
        average(row, of: patches, buffers.grid, kernel, into: scratch)
      }
      joined.rmsNorm(
        scratch.row(rows.lowerBound), stride: scratch.width, weight: norm.pointer,
        epsilon: configuration.normEpsilon, rows: rows, worker: worker)
    }
    worker.barrier()
    matrix.multiply(
      joined, rows: rows, into: output + rows.lowerBound * stride, stride: stride, worker: worker)
  }

  private func average(
    _ row: Int, of patches: FloatBuffer, _ grid: PatchGrid, _ kernel: Int,
    into target: FloatBuffer
  ) {
    let width = configuration.width
    target.row(row).update(repeating: 0, count: width)
    for first in configuration.firsts(row, grid) {
      for patch in first..<first + kernel {
        VectorOperations.add(patches.row(patch), to: target.row(row), count: width, worker: .alone)
      }
    }
    VectorOperations.scale(target.row(row), by: 1 / Float(kernel * kernel), count: width)
  }
}

extension VisionConfiguration {
  /// The first patch of each line of patches that become embedding `row`.
  func firsts(_ row: Int, _ grid: PatchGrid) -> [Int] {
    let factor = connector.factor
    let columns = grid.columns / factor
    let (down, right) = (row / columns, row % columns)
    return (0..<factor).map { (down * factor + $0) * grid.columns + right * factor }
  }

  /// Patches of a square one behind the other, line by line.
  func join(
    _ row: Int, of patches: FloatBuffer, _ grid: PatchGrid,
    into target: UnsafeMutablePointer<Float>
  ) {
    let count = connector.factor * width
    for (index, first) in firsts(row, grid).enumerated() {
      // Neighbours in a line lie together already.
      (target + index * count).update(from: patches.row(first), count: count)
    }
  }
}
