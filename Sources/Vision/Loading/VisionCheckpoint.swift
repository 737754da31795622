import Kernels
import ModelFiles
import Transformer

/// The part of a Hugging Face checkpoint that sees, under the names that mmproj files have.
final class VisionCheckpoint: TensorSource {
  let path: String
  private let files: [SafetensorsFile]
  private let family: VisionFamily
  private let visionPrefix: String
  private let connectorPrefix: String

  init(folder: String, family: VisionFamily) throws(ModelFileError) {
    path = folder
    var files: [SafetensorsFile] = []
    for name in try CheckpointFiles.fileNames(in: folder) {
      files.append(try SafetensorsFile(path: folder + "/" + name))
    }
    self.files = files
    self.family = family
    func first(_ prefixes: [String], before name: String) -> String {
      prefixes.first { prefix in files.contains { $0.tensors[prefix + name] != nil } } ?? ""
    }
    visionPrefix = first(family.visionPrefixes, before: "embeddings.patch_embedding.weight")
    connectorPrefix = first(
      family.connectorPrefixes, before: family.connectorNames.values.first ?? "")
  }

  var tensorNames: [String] {
    files.flatMap(\.tensorNames).filter {
      !visionPrefix.isEmpty && $0.hasPrefix(visionPrefix)
        || !connectorPrefix.isEmpty && $0.hasPrefix(connectorPrefix)
    }
  }

  func tensor(named name: String) throws(ModelFileError) -> TensorView? {
    guard let own = self.name(name) else { return nil }
    for file in files {
      guard let view = try file.tensor(named: own) else { continue }
      return family.shiftedNorms.contains(name) ? try plusOne(view) : view
    }
    return nil
  }

  /// A vector of norm weights plus 1, as floats.
  private func plusOne(_ view: TensorView) throws(ModelFileError) -> TensorView {
    let values: [Float]
    do {
      values = try dequantize(
        view.info.elementType, view.bytes, count: view.info.elementCount)
    } catch {
      throw ModelFileError(
        path: path, field: "tensor \(view.info.name)",
        problem: .invalid(value: "\(error)", expected: "floats"))
    }
    let map = try MemoryMap(path: path, byteCount: 4 * values.count) { target in
      for (index, value) in values.enumerated() {
        target.storeBytes(of: value + 1, toByteOffset: 4 * index, as: Float.self)
      }
    }
    return TensorView(
      info: TensorInfo(
        name: view.info.name, shape: view.info.shape, elementType: .f32, offset: 0,
        byteCount: map.count), map: map)
  }

  func dropPages() { for file in files { file.dropPages() } }

  /// A layer's modules.
  private static let modules = [
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_out": "self_attn.out_proj", "ln1": "layer_norm1", "ln2": "layer_norm2",
    "ffn_up": "mlp.fc1", "ffn_down": "mlp.fc2",
  ]
  private static let others = [
    "v.patch_embd.weight": "embeddings.patch_embedding.weight",
    "v.patch_embd.bias": "embeddings.patch_embedding.bias",
    "v.position_embd.weight": "embeddings.position_embedding.weight",
    "v.post_ln.weight": "post_layernorm.weight", "v.post_ln.bias": "post_layernorm.bias",
  ]

  /// `v.blk.3.attn_q.weight` is `encoder.layers.3.self_attn.q_proj.weight` behind the prefix.
  private func name(_ name: String) -> String? {
    if let own = family.connectorNames[name] { return connectorPrefix + own }
    if let own = Self.others[name] { return visionPrefix + own }
    let parts = name.split(separator: ".")
    guard parts.count == 5, parts[0] == "v", parts[1] == "blk",
      let module = Self.modules[String(parts[3])]
    else { return nil }
    return "\(visionPrefix)encoder.layers.\(parts[2]).\(module).\(parts[4])"
  }
}
