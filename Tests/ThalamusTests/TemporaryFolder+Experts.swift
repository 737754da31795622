import Foundation

/// Experts on the real SmolLM2, as a models folder.
extension TemporaryFolder {
  static let base = "smollm2-135m"

  /// Puts the real base into the folder.
  func linkBase() throws {
    let models = URL(filePath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "models").path
    try FileManager.default.createSymbolicLink(
      atPath: path + "/" + Self.base, withDestinationPath: models + "/" + Self.base)
  }

  func write(_ text: String, to name: String) throws {
    let url = URL(filePath: path + "/" + name)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  /// An adapter of rank 1 on one layer, all of whose numbers are `value`.
  func writeAdapter(_ id: String, _ value: Float) throws {
    try write("id: \(id)\nbase: \(Self.base)\nadapter: .\n", to: "\(id)/expert.yaml")
    try write(
      "{\"peft_type\": \"LORA\", \"r\": 1, \"lora_alpha\": 1}", to: "\(id)/adapter_config.json")
    let prefix = "base_model.model.model.layers.7.mlp.down_proj."
    try writeTensors(
      [(prefix + "lora_A.weight", [1, 1536]), (prefix + "lora_B.weight", [576, 1])], value,
      to: "\(id)/adapter_model.safetensors")
  }

  /// A mixture on that layer under a gate for each token, or for each task.
  func writeMixture(_ id: String, of adapters: [String], perTask: Bool) throws {
    try write("id: \(id)\nbase: \(Self.base)\nmixture: .\n", to: "\(id)/expert.yaml")
    try write(
      """
      {"version": 1, "adapters": \(adapters), "modules": ["down_proj"],
       "gates": {"mlp": {\(perTask ? "\"scores\": \"per_task\", " : "")"selection": {"kind": "all"}}}}
      """, to: "\(id)/mixture.json")
    try writeTensors(
      [("layers.7.mlp.weight", perTask ? [1, adapters.count] : [adapters.count, 576])], 0,
      to: "\(id)/gate.safetensors")
  }

  /// A safetensors file of float32 tensors, all of whose numbers are `value`.
  private func writeTensors(
    _ tensors: [(name: String, shape: [Int])], _ value: Float, to name: String
  ) throws {
    var entries: [String] = []
    var offset = 0
    for (name, shape) in tensors {
      let bytes = shape.reduce(4, *)
      entries.append(
        "\"\(name)\": {\"dtype\": \"F32\", \"shape\": \(shape), "
          + "\"data_offsets\": [\(offset), \(offset + bytes)]}")
      offset += bytes
    }
    let header = Data("{\(entries.joined(separator: ", "))}".utf8)
    var file = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) }
    file += header
    [Float](repeating: value, count: offset / 4).withUnsafeBytes { file.append(contentsOf: $0) }
    try file.write(to: URL(filePath: path + "/" + name))
  }
}
