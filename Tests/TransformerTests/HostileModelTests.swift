import Kernels
import ModelFiles
import Testing
import Transformer

/// Files that are wrong: each gives an error that names the key or tensor, and none crashes.
@Suite struct HostileModelTests {
  /// A file's metadata with some keys changed or left out.
  struct ChangedMetadata: ModelMetadata {
    let file: GGUFFile
    let changes: [String: GGUFValue?]

    private func value(_ key: String) -> GGUFValue? {
      if let change = changes[key] { return change }
      return file.metadata[key]
    }
    func int(_ key: String) -> Int? { value(key)?.int }
    func double(_ key: String) -> Double? { value(key)?.double }
    func string(_ key: String) -> String? { value(key)?.string }
    func bool(_ key: String) -> Bool? { value(key)?.bool }
    func bools(_ key: String) -> [Bool]? { value(key)?.array?.bools }
    func ints(_ key: String) -> [Int]? { value(key)?.array?.ints }
    func contains(_ key: String) -> Bool { value(key) != nil }
  }

  /// A file's tensors without some of them.
  struct FewerTensors: TensorSource {
    let file: GGUFFile
    let missing: String
    var path: String { file.path }
    var tensorNames: [String] { file.tensorNames.filter { $0 != missing } }
    func tensor(named name: String) throws(ModelFileError) -> TensorView? {
      name == missing ? nil : try file.tensor(named: name)
    }
    func dropPages() {}
  }

  private func load(_ name: String, changes: [String: GGUFValue?]) throws -> Decoder {
    let file = try GGUFFile(path: Fixture.path("\(name).gguf"))
    var options = DecoderOptions(precision: .float)
    options.maximumRows = 8
    return try Decoder(
      architecture: file.string("general.architecture") ?? "",
      metadata: ChangedMetadata(file: file, changes: changes), tensors: file,
      pool: #require(Fixture.pool), options: options)
  }

  static let keys = [
    "context_length", "embedding_length", "block_count", "feed_forward_length",
    "attention.head_count", "attention.head_count_kv", "attention.layer_norm_rms_epsilon",
    "rope.freq_base", "rope.dimension_count", "attention.key_length", "attention.sliding_window",
    "rope.scaling.factor", "rope.scaling.type", "expert_count", "attention.value_length",
  ]
  /// Those that only gpt-oss and DeepSeek read.
  static let latentKeys = [
    "attention.key_length_mla", "attention.value_length_mla", "attention.kv_lora_rank",
    "attention.q_lora_rank", "leading_dense_block_count", "expert_shared_count",
    "expert_used_count", "expert_feed_forward_length", "expert_weights_scale",
    "expert_weights_norm", "expert_gating_func", "expert_group_count", "expert_group_used_count",
    "rope.scaling.original_context_length", "rope.scaling.yarn_log_multiplier",
    "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow",
    "rope.scaling.yarn_attn_factor", "rope.scaling.yarn_ext_factor",
    "attention.sliding_window_pattern",
  ]
  static let values: [GGUFValue] = [
    .signed(-1), .unsigned(0), .unsigned(7), .unsigned(UInt64.max), .signed(.max), .signed(.min),
    .unsigned(1 << 40), .float(.nan), .float(.infinity), .float(-1), .float(0), .bool(true),
    .string("linear"), .unsigned(3), .unsigned(1000),
  ]

  /// No value of any key crashes; what loads, runs.
  @Test(arguments: TinyModelTests.names, keys) func absurdValues(name: String, key: String) throws {
    try tryAbsurdValues(name, prefix: name == "tiny-llama" ? "llama" : "gemma3", key: key)
  }

  @Test(arguments: ["tiny-gpt-oss", "tiny-deepseek3"], keys + latentKeys)
  func absurdLatentValues(name: String, key: String) throws {
    try tryAbsurdValues(name, prefix: name == "tiny-gpt-oss" ? "gpt-oss" : "deepseek2", key: key)
  }

  private func tryAbsurdValues(_ name: String, prefix: String, key: String) throws {
    for value in Self.values {
      do {
        let decoder = try load(name, changes: ["\(prefix).\(key)": value])
        if decoder.contextLength >= 2 {
          _ = try decoder.greedy([1], count: 2)
        }
      } catch let error as ModelError {
        #expect(!"\(error)".isEmpty)
      }
    }
  }

  @Test(arguments: [
    ("feed_forward_length", GGUFValue.unsigned(72), "blk.0.ffn_gate.weight"),
    ("attention.head_count_kv", .unsigned(1), "blk.0.attn_k.weight"),
    ("block_count", .unsigned(4), "blk.3.attn_q.weight"),
  ])
  func errorsNameTheTensor(key: String, value: GGUFValue, tensor: String) throws {
    let error = try #require(throws: ModelError.self) {
      try load("tiny-llama", changes: ["llama.\(key)": value])
    }
    #expect("\(error)".contains(tensor))
  }

  @Test(arguments: [
    "context_length", "embedding_length", "block_count", "feed_forward_length",
    "attention.head_count", "attention.layer_norm_rms_epsilon",
  ])
  func missingKeysAreNamed(key: String) throws {
    #expect(throws: ModelError.missingKey("llama.\(key)")) {
      try load("tiny-llama", changes: ["llama.\(key)": GGUFValue?.none])
    }
  }

  @Test(arguments: [
    "token_embd.weight", "output_norm.weight", "blk.0.attn_norm.weight", "blk.1.attn_q.weight",
    "blk.6.attn_k_norm.weight", "blk.6.post_ffw_norm.weight", "blk.2.ffn_down.weight",
  ])
  func missingTensorsAreNamed(tensor: String) throws {
    let file = try GGUFFile(path: Fixture.path("tiny-gemma3.gguf"))
    #expect(throws: ModelError.missingTensor(tensor)) {
      try Decoder(
        architecture: "gemma3", metadata: file,
        tensors: FewerTensors(file: file, missing: tensor), pool: #require(Fixture.pool),
        options: DecoderOptions(precision: .float))
    }
  }

  @Test func unknownArchitecture() throws {
    let file = try GGUFFile(path: Fixture.path("tiny-llama.gguf"))
    let known = DecoderRegistry.families.map { $0.architecture }
    #expect(throws: ModelError.unknownArchitecture("rwkv", known: known)) {
      try Decoder(
        architecture: "rwkv", metadata: file, tensors: file, pool: #require(Fixture.pool))
    }
  }

  @Test func batchesThatCannotRun() throws {
    let decoder = try Fixture.decoder(Fixture.path("tiny-llama.gguf")) {
      $0.contextLength = 20
      $0.maximumRows = 16
    }
    let cache = decoder.makeCache()
    #expect(throws: ModelError.self) { try decoder.forward([]) }
    #expect(throws: ModelError.self) {
      try decoder.forward([BatchSegment(cache: cache, tokens: [])])
    }
    #expect(throws: ModelError.tokenOutOfRange(token: -1, vocabularySize: 96)) {
      try decoder.forward([BatchSegment(cache: cache, tokens: [-1])])
    }
    #expect(throws: ModelError.batchTooLarge(rows: 17, limit: 16)) {
      try decoder.forward([
        BatchSegment(cache: cache, tokens: Array(repeating: 1, count: 17)[...])
      ])
    }
    #expect(throws: ModelError.malformedBatch(reason: "one sequence twice")) {
      try decoder.forward([
        BatchSegment(cache: cache, tokens: [1]), BatchSegment(cache: cache, tokens: [2]),
      ])
    }
    #expect(throws: ModelError.malformedBatch(reason: "the cache of another model")) {
      let other = try Fixture.decoder(Fixture.path("tiny-llama.gguf"))
      try decoder.forward([BatchSegment(cache: other.makeCache(), tokens: [1])])
    }
    try decoder.forward([
      BatchSegment(cache: cache, tokens: Array(repeating: 1, count: 15)[...])
    ])
    #expect(throws: ModelError.contextExceeded(tokens: 21, contextLength: 20)) {
      try decoder.forward([
        BatchSegment(cache: cache, tokens: Array(repeating: 1, count: 6)[...])
      ])
    }
    #expect(cache.count == 15)
  }
}
