import Foundation
import Kernels
import ModelFiles
import Testing
import Transformer

/// Hugging Face folders against Hugging Face transformers, and folders that are wrong.
@Suite struct CheckpointTests {
  /// A folder under Fixtures/checkpoints, and its golden file.
  static let names: [(folder: String, golden: String)] = [
    ("llama", "checkpoint-llama"),
    ("llama3", "tiny-llama3"),
    ("gemma3", "checkpoint-gemma3"),
    ("mixtral", "checkpoint-mixtral"),
    ("olmoe", "checkpoint-olmoe"),
    ("qwen2-moe", "checkpoint-qwen2-moe"),
    ("qwen3-moe", "checkpoint-qwen3-moe"),
    ("granitemoe", "checkpoint-granitemoe"),
    ("gpt-oss", "tiny-gpt-oss"),
    ("gpt-oss-bf16", "tiny-gpt-oss"),
    ("deepseek2-lite", "tiny-deepseek2-lite"),
    ("deepseek2-groups", "tiny-deepseek2-groups"),
    ("deepseek3", "tiny-deepseek3"),
  ]

  static func decoder(
    _ path: String, precision: WeightMatrix.Precision = .float
  ) throws -> Decoder {
    try Decoder(
      checkpoint: CheckpointFolder(path: path), pool: #require(Fixture.pool),
      options: DecoderOptions(precision: precision))
  }

  @Test(arguments: names) func equalsTheReference(name: (folder: String, golden: String)) throws {
    let golden = try Fixture.json(name.golden, as: Fixture.Decoding.self)
    let decoder = try Self.decoder(Fixture.path("checkpoints/\(name.folder)"))
    let expected = try #require(golden.logits)
    for chunk in [512, 5] {
      let logits = try decoder.allLogits(golden.tokens, chunk: chunk)
      for (row, expectedRow) in zip(logits, expected) {
        #expect(row.largestDifference(to: expectedRow) < 1e-3)
      }
    }
    for (prompt, answer) in zip(golden.prompts, golden.greedy) {
      #expect(try decoder.greedy(prompt, count: answer.count) == answer)
    }
  }

  /// Configurations as they are published, without what the library's classes fill in or call otherwise.
  @Test(arguments: [
    (
      "lfm2", "intermediate_size layer_types rope_parameters max_position_embeddings norm_eps",
      #"{"block_ff_dim": 70, "full_attn_idxs": [2, 4], "rope_theta": 1000000.0, "conv_dim": 32}"#
    ),
    ("lfm2moe", "rope_parameters use_expert_bias routed_scaling_factor", #"{"rope_theta": 1e6}"#),
    (
      "glm4moe", "rope_parameters n_group topk_group",
      #"{"rope_theta": 1000000, "partial_rotary_factor": 0.5, "rope_scaling": null}"#
    ),
    ("glm4moe-norms", "rope_parameters", #"{"rope_theta": 1000000}"#),
    (
      "ernie45moe", "rope_parameters moe_layer_end_index rms_norm_eps",
      #"{"rope_theta": 500000.0, "moe_layer_end_index": -1}"#
    ),
    (
      "granitehybrid", "rope_parameters time_step_limit mamba_d_head",
      #"{"layer_types": ["mamba", "mamba", "attention", "mamba", "attention"], "rope_theta": 1e4, "#
        + #""position_embedding_type": "nope", "mamba_d_head": "auto", "rope_scaling": null}"#
    ),
    ("granitehybrid-rotary", "rope_parameters", #"{"rope_theta": 10000, "mamba_d_head": 64}"#),
    (
      "nemotronh", "layers_block_type head_dim rms_norm_eps time_step_limit n_routed_experts",
      #"{"hybrid_override_pattern": "M-M*-M", "num_hidden_layers": 6, "attention_head_dim": 16}"#
    ),
    (
      "nemotronh-moe", "layers_block_type rms_norm_eps num_experts_per_tok n_group topk_group",
      #"{"hybrid_override_pattern": "MEM*E", "num_nextn_predict_layers": 1, "time_step_limit": null}"#
    ),
    (
      "mamba2", "max_position_embeddings num_attention_heads rms_norm_eps intermediate_size",
      #"{"time_step_limit": null, "norm_before_gate": true}"#
    ),
  ])
  func publishedConfigurations(name: String, without: String, with more: String) throws {
    let copy = try CheckpointCopy(of: name)
    var configuration = try #require(
      JSONSerialization.jsonObject(with: copy.read("config.json")) as? [String: Any])
    for key in without.split(separator: " ") { configuration[String(key)] = nil }
    configuration.merge(
      try #require(JSONSerialization.jsonObject(with: Data(more.utf8)) as? [String: Any])
    ) { $1 }
    try copy.write(JSONSerialization.data(withJSONObject: configuration), to: "config.json")
    let golden = try Fixture.json("tiny-\(name)", as: Fixture.Decoding.self)
    let logits = try Self.decoder(copy.path).allLogits(golden.tokens, chunk: 512)
    let expected = try #require(golden.logits)
    for (row, expectedRow) in zip(logits, expected) {
      #expect(row.largestDifference(to: expectedRow) < 1e-3)
    }
  }

  /// Python writes infinity as no JSON has it. What bounds steps from above or below is refused.
  @Test(arguments: [
    ("[0.0, Infinity]", true), (#"[0, {"__float__": "Infinity"}]"#, true), ("null", true),
    ("[0.0, 0.5]", false), ("[0.001, Infinity]", false), ("[0.0, NaN]", false), ("[]", false),
    ("Infinity", false),
  ])
  func boundsOfSteps(limit: String, isRun: Bool) throws {
    let copy = try CheckpointCopy(of: "granitehybrid-dense")
    var configuration = try #require(
      JSONSerialization.jsonObject(with: copy.read("config.json")) as? [String: Any])
    configuration["time_step_limit"] = nil
    let rest = try JSONSerialization.data(withJSONObject: configuration).dropFirst()
    try copy.write(Data("{\"time_step_limit\": \(limit),".utf8) + rest, to: "config.json")
    if isRun {
      _ = try Self.decoder(copy.path)
    } else {
      let error = #expect(throws: ModelFileError.self) { try CheckpointFolder(path: copy.path) }
      #expect(error?.field == "time_step_limit")
    }
  }

  /// A model that sees too: its text part, under the names of today and of before.
  @Test(arguments: ["model.language_model.", "language_model.model."])
  func textPartOfMore(prefix: String) throws {
    let copy = try CheckpointCopy(of: "gemma3-stretched")
    let text = try JSONSerialization.jsonObject(with: copy.read("config.json"))
    let whole: [String: Any] = [
      "model_type": "gemma3", "text_config": text, "vision_config": ["hidden_size": 3],
    ]
    try copy.write(JSONSerialization.data(withJSONObject: whole), to: "config.json")
    try copy.renameTensors("model.safetensors") { name in
      name.hasPrefix("model.") ? prefix + name.dropFirst("model.".count) : name
    }
    let golden = try Fixture.json("tiny-gemma3-stretched", as: Fixture.Decoding.self)
    let logits = try Self.decoder(copy.path).allLogits(golden.tokens, chunk: 512)
    let expected = try #require(golden.logits)
    for (row, expectedRow) in zip(logits, expected) {
      #expect(row.largestDifference(to: expectedRow) < 1e-3)
    }
  }
}
