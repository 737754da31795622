import Kernels
import Transformer

/// Pixels to vectors: a convolution whose kernels lie side by side is a linear map of each patch.
struct PatchEmbedding: Sendable {
  private let matrix: WeightMatrix
  private let bias: FloatBuffer
  /// Learned for a square of patches. // (side * side, width)
  private let positions: FloatBuffer
  /// What each of a channel's bytes is to the model. // (3, 256)
  private let values: [[Float]]
  private let configuration: VisionConfiguration

  init(_ configuration: VisionConfiguration, _ loader: WeightLoader) throws(ModelError) {
    self.configuration = configuration
    let (width, patch) = (configuration.width, configuration.patchSize)
    let name = "v.patch_embd.weight"
    let shape = [width, 3, patch, patch]
    var weights = try loader.floats(name, shape: shape)
    // A kernel over two pictures of a film: an image is the same picture twice.
    if loader.contains(name + ".1") {
      for (index, weight) in try loader.floats(name + ".1", shape: shape).enumerated() {
        weights[index] += weight
      }
    }
    // As floats whatever the precision: it is a hundredth of the work, and every layer builds on it.
    matrix = try loader.matrix(
      name, floats: weights, outputs: width, inputs: configuration.patchWidth, precision: .float)
    bias = try loader.vector("v.patch_embd.bias", count: width)
    positions = try loader.floatMatrix(
      "v.position_embd.weight", rows: configuration.side * configuration.side, width: width)
    values = configuration.preprocessing.values()
  }

  /// A tile's patches, as the model gets them, this worker's share. // patches (patches, patchWidth)
  func cut(_ tile: RGBImage, _ grid: PatchGrid, into patches: Activations, worker: Worker) {
    let patch = configuration.patchSize
    tile.pixels.withUnsafeBufferPointer { pixels in
      for index in worker.range(of: grid.count) {
        let corner =
          index / grid.columns * patch * tile.width + index % grid.columns * patch
        var target = patches.floats.row(index)
        for channel in 0..<3 {
          values[channel].withUnsafeBufferPointer { values in
            for row in 0..<patch {
              let first = 3 * (corner + row * tile.width) + channel
              for column in 0..<patch { target[column] = values[Int(pixels[first + 3 * column])] }
              target += patch
            }
          }
        }
      }
    }
  }

  /// The vectors of all patches; behind a barrier. // hidden (patches, width)
  func apply(
    _ patches: Activations, _ grid: PatchGrid, into hidden: FloatBuffer, worker: Worker
  ) {
    let width = configuration.width
    matrix.multiply(
      patches, rows: 0..<grid.count, into: hidden.pointer, stride: width, bias: bias,
      worker: worker)
    worker.barrier()
    let isLearned = grid == configuration.tileGrid
    for row in worker.range(of: grid.count) {
      if isLearned {
        VectorOperations.add(positions.row(row), to: hidden.row(row), count: width, worker: .alone)
      } else {
        addPosition(row, grid, to: hidden.row(row))
      }
    }
  }

  /// What is learned for a square, stretched to another grid: between four neighbours, with corners on corners.
  private func addPosition(
    _ patch: Int, _ grid: PatchGrid, to target: UnsafeMutablePointer<Float>
  ) {
    let side = configuration.side
    func neighbours(_ index: Int, of count: Int) -> [(place: Int, weight: Float)] {
      // In single precision, as the reference.
      let place = Float(index) * Float(side - 1) / Float(max(count - 1, 1))
      let first = Int(place)
      let share = place - Float(first)
      return [(first, 1 - share), (min(first + 1, side - 1), share)]
    }
    for row in neighbours(patch / grid.columns, of: grid.rows) {
      for column in neighbours(patch % grid.columns, of: grid.columns) {
        VectorOperations.add(
          positions.row(row.place * side + column.place), times: row.weight * column.weight,
          to: target, count: configuration.width)
      }
    }
  }
}
