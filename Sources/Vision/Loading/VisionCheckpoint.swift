import Kernels
import ModelFiles
import Transformer

/// The part of a Hugging Face checkpoint that sees, under the names that mmproj files have.
final class VisionCheckpoint: TensorSource {
  let path: String
  private let files: [SafetensorsFile]
  private let family: VisionFamily
  private let deepLayers: [Int]
  private let visionPrefix: String
  private let connectorPrefix: String

  init(folder: String, _ configuration: VisionConfiguration) throws(ModelFileError) {
    let family = configuration.family
    deepLayers = configuration.connector.deepLayers
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
    visionPrefix = first(
      family.visionPrefixes, before: family.names.others["v.patch_embd.weight"] ?? "")
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
    // A kernel over two pictures of a film is two tensors in mmproj files.
    let kernel = "v.patch_embd.weight"
    let picture = name == kernel ? 0 : name == kernel + ".1" ? 1 : nil
    guard let own = self.name(picture == nil ? name : kernel) else { return nil }
    for file in files {
      guard let view = try file.tensor(named: own) else { continue }
      if let picture { return try self.picture(picture, of: view) }
      if family.shiftedNorms.contains(name) {
        return try made(view, shape: view.info.shape) { $0.map { $0 + 1 } }
      }
      return view
    }
    return nil
  }

  /// The part of a kernel for one of two pictures; a kernel for one is the first's. // (outputs, channels, rows, columns)
  private func picture(
    _ index: Int, of view: TensorView
  ) throws(ModelFileError) -> TensorView? {
    let shape = view.info.shape
    guard shape.count == 5 else { return index == 0 ? view : nil }
    guard shape[2] == 2 else {
      throw ModelFileError(
        path: path, field: "tensor \(view.info.name)",
        problem: .invalid(value: "a shape of \(shape)", expected: "two pictures"))
    }
    let area = shape[3] * shape[4]
    return try made(view, shape: [shape[0], shape[1], shape[3], shape[4]]) { values in
      (0..<shape[0] * shape[1]).flatMap { kernel in
        values[(2 * kernel + index) * area..<(2 * kernel + index + 1) * area]
      }
    }
  }

  /// A tensor whose floats are made of another's.
  private func made(
    _ view: TensorView, shape: [Int], _ change: ([Float]) -> [Float]
  ) throws(ModelFileError) -> TensorView {
    let values: [Float]
    do {
      values = change(
        try dequantize(view.info.elementType, view.bytes, count: view.info.elementCount))
    } catch {
      throw ModelFileError(
        path: path, field: "tensor \(view.info.name)",
        problem: .invalid(value: "\(error)", expected: "floats"))
    }
    let map = try MemoryMap(path: path, byteCount: 4 * values.count) { target in
      for (index, value) in values.enumerated() {
        target.storeBytes(of: value, toByteOffset: 4 * index, as: Float.self)
      }
    }
    return TensorView(
      info: TensorInfo(
        name: view.info.name, shape: shape, elementType: .f32, offset: 0, byteCount: map.count),
      map: map)
  }

  func dropPages() { for file in files { file.dropPages() } }

  /// `v.blk.3.attn_q.weight` is SigLIP's `encoder.layers.3.self_attn.q_proj.weight` behind the prefix.
  private func name(_ name: String) -> String? {
    if let own = family.connectorNames[name] { return connectorPrefix + own }
    if let own = family.names.others[name] { return visionPrefix + own }
    let parts = name.split(separator: ".")
    guard parts.count == 5, parts[0] == "v" else { return nil }
    let (module, kind) = (String(parts[3]), parts[4])
    if parts[1] == "blk", let own = family.names.modules[module] {
      return "\(visionPrefix)\(family.names.layers)\(parts[2]).\(own).\(kind)"
    }
    // These are counted here, and go by their layer there.
    if parts[1] == "deepstack", let own = family.names.tapModules[module],
      let layer = Int(parts[2]),
      let index = deepLayers.firstIndex(of: layer)
    {
      return "\(visionPrefix)\(family.names.taps)\(index).\(own).\(kind)"
    }
    return nil
  }
}
