import Foundation
import Kernels
import ModelFiles
import Testing
import Transformer

/// What only Gemma 4 has. That its models give what the reference gives is `DenseModelTests`' to show.
@Suite struct Gemma4ModelTests {
  private static let names = ["tiny-gemma4-small", "tiny-gemma4", "tiny-gemma4-moe"]

  private func decoder(_ name: String) throws -> Decoder {
    try Fixture.decoder(Fixture.path("\(name).gguf"))
  }

  /// A page for each layer with keys and values of its own, as large as its heads, and none for others.
  @Test func layersWithoutKeysTakeNoMemory() throws {
    func bytes(heads: Int, dim: Int) throws -> Int {
      (try KVLayout(keyValueHeads: heads, headDim: dim, elementType: .f32).bytesPerPage + 63) / 64
        * 64
    }
    let small = try decoder("tiny-gemma4-small")
    #expect(
      try small.pagePool.bytesPerBlock == 2 * bytes(heads: 1, dim: 16)
        + 2 * bytes(heads: 1, dim: 32))
    let sources = small.configuration.layers.map(\.keyValueSource)
    #expect(sources == [nil, nil, nil, nil, 2, 3, 2, 3])
    let other = try decoder("tiny-gemma4")
    #expect(
      try other.pagePool.bytesPerBlock == 3 * bytes(heads: 2, dim: 16)
        + 2 * bytes(heads: 1, dim: 32))
    let cache = small.makeCache()
    _ = try small.allLogits(Array(repeating: 5, count: 65), chunk: 512, cache: cache)
    #expect(small.pagePool.usedBytes == 2 * small.bytesPerBlock())
  }

  /// The table of what tokens mean to layers is read where it lies, and is none of the packed weights.
  @Test func theTableStaysInTheFile() throws {
    let file = try GGUFFile(path: Fixture.path("tiny-gemma4-small.gguf"))
    let decoder = try decoder("tiny-gemma4-small")
    let name = "per_layer_token_embd.weight"
    let table = try #require(try file.tensor(named: name))
    var packed = 0
    for other in file.tensorNames where other.hasSuffix(".weight") && other != name {
      let info = try #require(try file.tensor(named: other)).info
      if info.shape.count == 2 { packed += info.byteCount }
    }
    #expect(decoder.weightBytes >= packed)
    #expect(decoder.weightBytes < packed + table.info.byteCount / 2)
  }

  /// Tables of any type that files have, in parts of whole blocks.
  @Test func tablesOfOtherTypes() throws {
    let golden = try Fixture.json("tiny-gemma4-small", as: Fixture.Decoding.self)
    let file = try GGUFFile(path: Fixture.path("tiny-gemma4-small.gguf"))
    let view = try #require(try file.tensor(named: OtherTable.name))
    let values = try dequantize(.f32, view.bytes, count: view.info.elementCount)
    let halves = values.map { UInt16(truncatingIfNeeded: $0.bitPattern >> 16) }
    let cut = halves.map { Float(bitPattern: UInt32($0) << 16) }
    func logits(_ type: ElementType, _ bytes: [UInt8]) throws -> [[Float]] {
      let map = try MemoryMap(path: file.path, byteCount: bytes.count) { $0.copyBytes(from: bytes) }
      let source = OtherTable(
        file: file,
        view: TensorView(
          info: TensorInfo(
            name: OtherTable.name, shape: view.info.shape, elementType: type, offset: 0,
            byteCount: bytes.count),
          map: map))
      return try Decoder(
        architecture: "gemma4", metadata: file, tensors: source, pool: #require(Fixture.pool),
        options: DecoderOptions(precision: .float)
      ).allLogits(golden.tokens, chunk: 512)
    }
    let floats = try logits(.f32, cut.withUnsafeBytes { Array($0) })
    let brain = try logits(.bf16, halves.withUnsafeBytes { Array($0) })
    #expect(floats == brain)
    // A row of 128 numbers is four blocks, but a layer's part of it is half a block.
    let blocks = [UInt8](repeating: 0, count: view.info.elementCount / 32 * 34)
    let error = #expect(throws: ModelError.self) { try logits(.q8_0, blocks) }
    #expect("\(String(describing: error))".contains(OtherTable.name))
  }

  /// A file with another table.
  private struct OtherTable: TensorSource {
    static let name = "per_layer_token_embd.weight"
    let file: GGUFFile
    let view: TensorView
    var path: String { file.path }
    var tensorNames: [String] { file.tensorNames }
    func tensor(named name: String) throws(ModelFileError) -> TensorView? {
      name == Self.name ? view : try file.tensor(named: name)
    }
    func dropPages() {}
  }

  /// Published configurations have the heads of layers that see everything under names of their own, and stand
  /// beside a part that sees.
  @Test(arguments: names) func publishedConfigurations(name: String) throws {
    let golden = try Fixture.json(name, as: Fixture.Decoding.self)
    let copy = try CheckpointCopy(of: String(name.dropFirst("tiny-".count)))
    var text = try #require(
      JSONSerialization.jsonObject(with: copy.read("config.json")) as? [String: Any])
    let layers = try #require(text["per_layer_config"] as? [String: [String: Int]])
    text["per_layer_config"] = nil
    text["global_head_dim"] = layers.values.first?["head_dim"]
    text["num_global_key_value_heads"] = layers.values.first?["num_key_value_heads"]
    text["rope_parameters"] = nil
    text["model_type"] = "gemma4_text"
    text["vision_config"] = ["hidden_size": 8]
    try copy.write(
      JSONSerialization.data(
        withJSONObject: ["model_type": "gemma4", "text_config": text] as [String: Any]),
      to: "config.json")
    try copy.renameTensors("model.safetensors") {
      $0.replacing("model.", with: "model.language_model.", maxReplacements: 1)
    }
    let decoder = try Decoder(
      checkpoint: CheckpointFolder(path: copy.path), pool: #require(Fixture.pool),
      options: DecoderOptions(precision: .float))
    let expected = try #require(golden.logits)
    let largest = expected.joined().reduce(0) { max($0, abs($1)) }
    for (row, expectedRow) in zip(
      try decoder.allLogits(golden.tokens, chunk: 512), expected)
    {
      #expect(row.largestDifference(to: expectedRow) < 1e-4 * largest)
    }
  }

  /// Each value is JSON.
  @Test(arguments: [
    ("gemma4", "use_bidirectional_attention", "\"all\""),
    ("gemma4", "hidden_activation", "\"relu\""),
    ("gemma4", "per_layer_config", "{\"0\": {\"head_dim\": 8}}"),
    ("gemma4", "per_layer_config", "{\"2\": {\"head_dim\": 32}, \"4\": {\"head_dim\": 16}}"),
    ("gemma4", "layer_types", "[\"full_attention\"]"),
    ("gemma4", "rope_parameters", "{\"full_attention\": {\"rope_type\": \"yarn\"}}"),
    ("gemma4", "rope_parameters", "{\"full_attention\": {\"partial_rotary_factor\": 1.5}}"),
    ("gemma4-moe", "num_experts", "null"),
  ])
  func refusedConfigurations(name: String, key: String, value: String) throws {
    let copy = try CheckpointCopy(of: name)
    var configuration = try #require(
      JSONSerialization.jsonObject(with: copy.read("config.json")) as? [String: Any])
    configuration[key] = try JSONSerialization.jsonObject(
      with: Data(value.utf8), options: .fragmentsAllowed)
    try copy.write(JSONSerialization.data(withJSONObject: configuration), to: "config.json")
    let error = #expect(throws: ModelFileError.self) { try CheckpointFolder(path: copy.path) }
    #expect(error?.field.hasPrefix(key) ?? false)
  }

  // MARK: - What is wrong

  static let keys = [
    "attention.key_length_swa", "attention.value_length_swa", "attention.shared_kv_layers",
    "embedding_length_per_layer_input", "rope.freq_base_swa", "rope.dimension_count_swa",
    "expert_count", "expert_used_count", "expert_feed_forward_length", "expert_weights_scale",
    "expert_gating_func",
  ]

  /// No value of any key crashes; what loads, runs.
  @Test(arguments: names) func absurdValues(name: String) throws {
    let file = try GGUFFile(path: Fixture.path("\(name).gguf"))
    var options = DecoderOptions(precision: .float)
    options.maximumRows = 8
    for key in Self.keys {
      for value in HostileModelTests.values {
        do {
          let decoder = try Decoder(
            architecture: "gemma4",
            metadata: HostileModelTests.ChangedMetadata(
              file: file, changes: ["gemma4.\(key)": value]),
            tensors: file, pool: #require(Fixture.pool), options: options)
          _ = try decoder.greedy([1], count: 2)
        } catch let error as ModelError {
          #expect(!"\(error)".isEmpty)
        }
      }
    }
  }

  /// Lists with a value a layer that are too short, or hold what no layer can have.
  @Test(arguments: ["feed_forward_length", "attention.head_count_kv"])
  func listsOfLayers(key: String) throws {
    let file = try GGUFFile(path: Fixture.path("tiny-gemma4.gguf"))
    for values in [[], [2], [2, 2, 1, 2, 0], [2, 2, 1, 2, -1], [3, 3, 3, 3, 3]] as [[Int]] {
      let metadata = ListedMetadata(file: file, key: "gemma4.\(key)", values: values)
      let error = #expect(throws: ModelError.self) {
        try Decoder(
          architecture: "gemma4", metadata: metadata, tensors: file, pool: #require(Fixture.pool),
          options: DecoderOptions(precision: .float))
      }
      #expect("\(String(describing: error))".contains(key))
    }
  }

  /// A file's metadata with one list changed.
  private struct ListedMetadata: ModelMetadata {
    let file: GGUFFile
    let key: String
    let values: [Int]
    func int(_ key: String) -> Int? { key == self.key ? nil : file.int(key) }
    func double(_ key: String) -> Double? { file.double(key) }
    func string(_ key: String) -> String? { file.string(key) }
    func bool(_ key: String) -> Bool? { file.bool(key) }
    func bools(_ key: String) -> [Bool]? { file.bools(key) }
    func ints(_ key: String) -> [Int]? { key == self.key ? values : file.ints(key) }
    func contains(_ key: String) -> Bool { file.contains(key) }
  }
}
