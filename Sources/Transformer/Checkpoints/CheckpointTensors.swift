import ModelFiles
import Synchronization

/// A checkpoint's tensors under the names, and in the shapes and orders, that GGUF files have.
package final class CheckpointTensors: TensorSource {
  package let path: String
  private let family: any CheckpointFamily
  private let files: CheckpointFiles
  /// The tensor that was asked for last: whoever looks whether it is there takes it next.
  private let last = Mutex<(name: String, view: TensorView?)?>(nil)

  init(files: CheckpointFiles, family: any CheckpointFamily) {
    path = files.folder
    self.files = files
    self.family = family
  }

  /// The checkpoint's own names.
  package var tensorNames: [String] { files.tensorNames }

  /// Of the files' own tensors: their names say nothing to others, and to make GGUF's of them only
  /// for their sizes would cost as much as loading them.
  package var weightSize: WeightSize {
    var size = files.weightSize
    if case .int(let count)? = family.metadata["expert_count"] { size.hasExperts = count > 0 }
    return size
  }

  package func tensor(named name: String) throws(ModelFileError) -> TensorView? {
    if let known = last.withLock({ $0?.name == name ? $0 : nil }) { return known.view }
    guard let parsed = TensorName(name) else { return nil }
    let view = try family.tensor(parsed, in: files)
    last.withLock { $0 = (name, view) }
    return view
  }

  package func dropPages() {
    last.withLock { $0 = nil }
    files.dropPages()
  }
}

/// A GGUF tensor's name, taken apart: `blk.3.attn_q.weight`, `output_norm.weight`.
struct TensorName {
  /// nil for a tensor of no layer.
  let layer: Int?
  /// `attn_q`, `output_norm`, `shortconv.conv`.
  let module: String
  /// `weight`, `bias`; empty where the name has none (`blk.3.ssm_a`).
  let kind: String

  init?(_ name: String) {
    var parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    if parts.first == "blk" {
      guard parts.count >= 3, let index = Int(parts[1]) else { return nil }
      layer = index
      parts.removeFirst(2)
    } else {
      layer = nil
    }
    guard parts.count >= 2 || (parts.count == 1 && layer != nil) else { return nil }
    kind = parts.count >= 2 ? parts.removeLast() : ""
    module = parts.joined(separator: ".")
  }
}
