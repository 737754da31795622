import Foundation
import Kernels
import Testing
import Transformer

/// What scripts/fixtures/adapters.py writes: a tiny base, PEFT adapters on it, and their logits.
enum AdapterFixture {
  struct Expected: Decodable {
    let tokens: [Int32]
    /// Logits of the base and with each adapter, a row a token.
    let logits: [String: [[Float]]]
  }

  /// Their ranks, modules and scales differ.
  static let names = [
    "all", "attention", "feed-forward", "half", "keys", "one-layer", "patterns", "root-scale",
  ]

  static func expected() throws -> Expected {
    try Fixture.json("adapters/expected", as: Expected.self)
  }

  static func path(_ name: String) throws -> String { try Fixture.path("adapters/\(name)") }

  static func base(_ precision: WeightMatrix.Precision = .float) throws -> Decoder {
    try Fixture.decoder(path("base.gguf"), precision: precision)
  }
}

/// A folder for an adapter that a test makes up, gone with it.
final class AdapterFolder {
  let path: String

  init() throws {
    path =
      FileManager.default.temporaryDirectory
      .appending(path: "thalamus-adapter-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: URL(filePath: path + "/" + name))
  }

  /// Puts the fixture's adapters of these names in, as e0, e1 and so on.
  func link(_ names: [String]) throws {
    for (index, name) in names.enumerated() {
      try FileManager.default.createSymbolicLink(
        atPath: path + "/e\(index)", withDestinationPath: AdapterFixture.path(name))
    }
  }

  /// A configuration with these keys changed; an empty text leaves a key out.
  func writeConfiguration(_ changes: [String: String] = [:]) throws {
    var keys = ["peft_type": "\"LORA\"", "r": "2", "lora_alpha": "4", "bias": "\"none\""]
    keys.merge(changes) { $1 }
    let body = keys.filter { !$0.value.isEmpty }.map { "\"\($0.key)\": \($0.value)" }
    try write("{" + body.joined(separator: ",") + "}", to: "adapter_config.json")
  }

  /// A safetensors file of float32 tensors.
  func writeTensors(
    _ tensors: [(name: String, shape: [Int], values: [Float])],
    to name: String = "adapter_model.safetensors"
  ) throws {
    var data = Data()
    var entries: [String] = []
    for tensor in tensors {
      let start = data.count
      tensor.values.withUnsafeBytes { data.append(contentsOf: $0) }
      entries.append(
        "\"\(tensor.name)\":{\"dtype\":\"F32\",\"shape\":\(tensor.shape),"
          + "\"data_offsets\":[\(start),\(data.count)]}")
    }
    let header = Data(("{" + entries.joined(separator: ",") + "}").utf8)
    var file = Data()
    withUnsafeBytes(of: UInt64(header.count).littleEndian) { file.append(contentsOf: $0) }
    try (file + header + data).write(to: URL(filePath: path + "/" + name))
  }

  /// The two tensors of a module of rank 2, of the tiny base's up projection unless told.
  static func pair(
    _ module: String = "model.layers.0.mlp.up_proj", rank: Int = 2, inputs: Int = 32,
    outputs: Int = 64, value: Float = 0.25
  ) -> [(name: String, shape: [Int], values: [Float])] {
    [
      (
        "base_model.model.\(module).lora_A.weight", [rank, inputs],
        Array(repeating: value, count: rank * inputs)
      ),
      (
        "base_model.model.\(module).lora_B.weight", [outputs, rank],
        Array(repeating: value, count: outputs * rank)
      ),
    ]
  }
}

extension Decoder {
  /// All logits of a text with an adapter, in one pass.
  func allLogits(_ tokens: [Int32], adapter: Adapter?) throws -> [[Float]] {
    let collector = LogitCollector()
    let segment = BatchSegment(
      cache: makeCache(), tokens: tokens[...], logits: .all, adapter: adapter)
    try forward([segment]) { collector.receive($0) }
    return tokens.indices.map { collector[0, $0] }
  }
}
