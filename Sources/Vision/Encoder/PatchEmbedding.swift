import Kernels
import Transformer

/// Pixels to vectors: a convolution whose kernels lie side by side is a linear map of each patch.
struct PatchEmbedding: Sendable {
  private let matrix: WeightMatrix
  private let bias: FloatBuffer
  private let positions: FloatBuffer  // (patches, width)
  /// What each of a channel's bytes is to the model. // (3, 256)
  private let values: [[Float]]
  private let configuration: VisionConfiguration

  init(_ configuration: VisionConfiguration, _ loader: WeightLoader) throws(ModelError) {
    self.configuration = configuration
    let (width, patch) = (configuration.width, configuration.patchSize)
    let name = "v.patch_embd.weight"
    // As floats whatever the precision: it is a hundredth of the work, and every layer builds on it.
    matrix = try loader.matrix(
      name, floats: loader.floats(name, shape: [width, 3, patch, patch]), outputs: width,
      inputs: configuration.patchWidth, precision: .float)
    bias = try loader.vector("v.patch_embd.bias", count: width)
    positions = try loader.floatMatrix(
      "v.position_embd.weight", rows: configuration.patchCount, width: width)
    values = configuration.preprocessing.values()
  }

  /// A tile's patches, as the model gets them, this worker's share. // patches (patches, patchWidth)
  func cut(_ tile: RGBImage, into patches: Activations, worker: Worker) {
    let (side, patch) = (configuration.side, configuration.patchSize)
    tile.pixels.withUnsafeBufferPointer { pixels in
      for index in worker.range(of: configuration.patchCount) {
        let corner = index / side * patch * tile.width + index % side * patch
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
  func apply(_ patches: Activations, into hidden: FloatBuffer, worker: Worker) {
    matrix.multiply(
      patches, rows: 0..<configuration.patchCount, into: hidden.pointer,
      stride: configuration.width, bias: bias, worker: worker)
    worker.barrier()
    for row in worker.range(of: configuration.patchCount) {
      VectorOperations.add(
        positions.row(row), to: hidden.row(row), count: configuration.width, worker: .alone)
    }
  }
}
