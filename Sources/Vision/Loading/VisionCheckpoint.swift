import ModelFiles
import Transformer

/// The part of a Hugging Face checkpoint that sees, under the names that mmproj files have.
final class VisionCheckpoint: TensorSource {
  let path: String
  private let files: [SafetensorsFile]
  /// What stands before the names: nothing where the file holds the model without its head.
  private let prefix: String

  init(folder: String) throws(ModelFileError) {
    path = folder
    var files: [SafetensorsFile] = []
    for name in try CheckpointFiles.fileNames(in: folder) {
      files.append(try SafetensorsFile(path: folder + "/" + name))
    }
    self.files = files
    let known = "model.vision_model.embeddings.patch_embedding.weight"
    prefix = files.contains { $0.tensors[known] != nil } ? "model." : ""
  }

  var tensorNames: [String] {
    files.flatMap(\.tensorNames).filter {
      $0.hasPrefix(prefix + "vision_model.") || $0.hasPrefix(prefix + "connector.")
    }
  }

  func tensor(named name: String) throws(ModelFileError) -> TensorView? {
    guard let own = Self.name(name) else { return nil }
    for file in files {
      if let view = try file.tensor(named: prefix + own) { return view }
    }
    return nil
  }

  func dropPages() { for file in files { file.dropPages() } }

  /// A layer's modules.
  private static let modules = [
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_out": "self_attn.out_proj", "ln1": "layer_norm1", "ln2": "layer_norm2",
    "ffn_up": "mlp.fc1", "ffn_down": "mlp.fc2",
  ]
  private static let others = [
    "v.patch_embd.weight": "vision_model.embeddings.patch_embedding.weight",
    "v.patch_embd.bias": "vision_model.embeddings.patch_embedding.bias",
    "v.position_embd.weight": "vision_model.embeddings.position_embedding.weight",
    "v.post_ln.weight": "vision_model.post_layernorm.weight",
    "v.post_ln.bias": "vision_model.post_layernorm.bias",
    "mm.model.fc.weight": "connector.modality_projection.proj.weight",
  ]

  /// `v.blk.3.attn_q.weight` is `vision_model.encoder.layers.3.self_attn.q_proj.weight`.
  private static func name(_ name: String) -> String? {
    if let other = others[name] { return other }
    let parts = name.split(separator: ".")
    guard parts.count == 5, parts[0] == "v", parts[1] == "blk",
      let module = modules[String(parts[3])]
    else { return nil }
    return "vision_model.encoder.layers.\(parts[2]).\(module).\(parts[4])"
  }
}
