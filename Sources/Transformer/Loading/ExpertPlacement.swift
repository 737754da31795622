import Kernels
import ModelFiles

/// Where a model's packed experts go: into memory if the model fits, or else into a mapped file,
/// since a pass reads only some of them.
///
/// Weights are repacked for the kernels, so that the model file itself can't be what is mapped: a
/// model larger than memory takes its size on the disk once more while it is loaded.
package struct ExpertPlacement {
  package let storage: WeightStorage
  package private(set) var warnings: [String] = []

  /// - Parameter availableBytes: Memory there is; nil where nobody knows.
  package init(_ tensors: any TensorSource, options: DecoderOptions, availableBytes: Int?) {
    if let chosen = options.expertStorage {
      storage = chosen
      return
    }
    let size = tensors.weightSize
    let bytes =
      options.precision == .float
      ? size.elements.multipliedReportingOverflow(by: 4).partialValue : size.bytes
    guard let availableBytes, size.hasExperts, bytes > availableBytes else {
      storage = .memory
      return
    }
    storage = .file(folder: options.spillFolder)
    warnings.append(
      "the model's weights take \(bytes) bytes, and \(availableBytes) bytes of memory are "
        + "available: its experts are kept in a file under \(options.spillFolder), and tokens "
        + "wait for the disk")
  }
}
