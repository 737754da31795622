import Foundation
import Kernels
import ModelFiles
import Testing
import Transformer

/// Random-weight models of the dense families against Hugging Face transformers, from GGUF files and from
/// the folders that transformers writes.
@Suite struct DenseModelTests {
  static let names = [
    "tiny-qwen2", "tiny-qwen2-yarn", "tiny-qwen3", "tiny-granite", "tiny-smollm3", "tiny-phi3",
    "tiny-phi3-long", "tiny-glm4", "tiny-gemma2", "tiny-gemma3-stretched", "tiny-olmo2",
    "tiny-olmo3", "tiny-mistral3", "tiny-gemma4-small", "tiny-gemma4", "tiny-gemma4-moe",
    "tiny-gemma", "tiny-qwen35", "tiny-qwen35moe", "tiny-qwen3next", "tiny-lfm2", "tiny-lfm2moe",
    "tiny-glm4moe", "tiny-glm4moe-norms", "tiny-ernie45", "tiny-ernie45moe", "tiny-granitehybrid",
    "tiny-granitehybrid-dense", "tiny-granitehybrid-rotary", "tiny-nemotronh",
    "tiny-nemotronh-moe", "tiny-mamba2",
  ]

  enum Source: CaseIterable { case gguf, checkpoint }

  private func golden(_ name: String) throws -> Fixture.Decoding {
    try Fixture.json(name, as: Fixture.Decoding.self)
  }

  private func decoder(
    _ name: String, _ source: Source = .gguf, precision: WeightMatrix.Precision = .float,
    contextLength: Int? = nil
  ) throws -> Decoder {
    var options = DecoderOptions(precision: precision)
    options.contextLength = contextLength
    let pool = try #require(Fixture.pool)
    switch source {
    case .gguf:
      return try Decoder(
        file: GGUFFile(path: Fixture.path("\(name).gguf")), pool: pool, options: options)
    case .checkpoint:
      let folder = try Fixture.path("checkpoints/\(name.dropFirst("tiny-".count))")
      return try Decoder(
        checkpoint: CheckpointFolder(path: folder), pool: pool, options: options)
    }
  }

  @Test(arguments: names, Source.allCases)
  func logitsEqualTheReference(name: String, source: Source) throws {
    let golden = try golden(name)
    let expected = try #require(golden.logits)
    let decoder = try decoder(name, source)
    let largest = expected.joined().reduce(0) { max($0, abs($1)) }
    for chunk in [512, 1, 17] {
      let logits = try decoder.allLogits(golden.tokens, chunk: chunk)
      for (row, expectedRow) in zip(logits, expected) {
        #expect(row.largestDifference(to: expectedRow) < 1e-4 * largest)
      }
    }
  }

  @Test(arguments: names, Source.allCases)
  func greedyTextEqualsTheReference(name: String, source: Source) throws {
    let golden = try golden(name)
    // The reference takes LongRoPE's short factors as long as a text is short; so does a decoder whose
    // texts can't be long.
    let decoder = try decoder(
      name, source, contextLength: name == "tiny-phi3-long" ? 64 : nil)
    for (prompt, expected) in zip(golden.prompts, golden.greedy) {
      #expect(expected.count == 16)
      #expect(try decoder.greedy(prompt, count: expected.count) == expected)
    }
  }

  /// Which of LongRoPE's two lists holds shows, so that the tests above mean something.
  @Test func longRotaryGoesByTheContext() throws {
    let golden = try golden("tiny-phi3-long")
    let tokens = Array(golden.tokens[..<60])
    let long = try decoder("tiny-phi3-long").allLogits(tokens, chunk: 512)
    let short = try decoder("tiny-phi3-long", contextLength: 64).allLogits(tokens, chunk: 512)
    #expect(try #require(long.last).largestDifference(to: try #require(short.last)) > 0.05)
    let edge = try decoder("tiny-phi3-long", contextLength: 65).allLogits(tokens, chunk: 512)
    #expect(edge == long)
  }

  @Test(arguments: names, [WeightMatrix.Precision.float, .quantized])
  func batchEqualsAlone(name: String, precision: WeightMatrix.Precision) throws {
    let golden = try golden(name)
    let decoder = try decoder(name, precision: precision)
    try expectBatchEqualsAlone(decoder, golden.tokens)
  }

  @Test(arguments: names) func quantizedStaysNear(name: String) throws {
    let golden = try golden(name)
    let exact = try decoder(name).allLogits(golden.tokens, chunk: 512)
    let near = try decoder(name, precision: .quantized).allLogits(golden.tokens, chunk: 512)
    // Random weights have no order that would average the rounding out. What a state gives for a
    // text's first tokens is small, and so is far off when it is normed; a gate may choose another expert by that.
    let limits = [
      "tiny-qwen35": 0.2, "tiny-qwen35moe": 0.4, "tiny-qwen3next": 0.25, "tiny-glm4moe": 0.25,
      "tiny-granitehybrid": 0.3, "tiny-nemotronh-moe": 0.25,
    ]
    #expect(relativeDistance(of: near, to: exact) < limits[name] ?? 0.12)
    let rows = zip(near, exact).map { relativeDistance(of: [$0], to: [$1]) }.sorted()
    #expect(rows[rows.count / 2] < 0.15)
  }

  // MARK: - What is wrong

  static let keys = [
    "context_length", "embedding_length", "block_count", "feed_forward_length",
    "attention.head_count", "attention.head_count_kv", "attention.key_length",
    "attention.value_length", "attention.layer_norm_rms_epsilon", "attention.scale",
    "attention.sliding_window", "attention.sliding_window_pattern",
    "attention.temperature_scale", "attn_logit_softcapping", "final_logit_softcapping",
    "embedding_scale", "residual_scale", "logit_scale", "rope.freq_base",
    "rope.dimension_count", "rope.scaling.type", "rope.scaling.factor",
    "rope.scaling.attn_factor", "rope.scaling.original_context_length",
    "rope.scaling.yarn_log_multiplier", "nextn_predict_layers", "full_attention_interval",
    "attention.recurrent_layers", "ssm.conv_kernel", "ssm.state_size", "ssm.group_count",
    "ssm.time_step_rank", "ssm.inner_size", "expert_count", "expert_used_count",
    "expert_feed_forward_length", "expert_shared_feed_forward_length", "shortconv.l_cache",
    "leading_dense_block_count", "expert_shared_count", "expert_gating_func",
    "expert_weights_scale", "expert_weights_norm", "expert_group_count",
    "expert_group_used_count", "interleave_moe_layer_step", "rope.scaling.finetuned",
    "moe_latent_size",
  ]

  private func load(_ name: String, _ changes: [String: GGUFValue?]) throws -> Decoder {
    let file = try GGUFFile(path: Fixture.path("\(name).gguf"))
    let architecture = try #require(file.string("general.architecture"))
    var prefixed: [String: GGUFValue?] = [:]
    for (key, value) in changes { prefixed["\(architecture).\(key)"] = value }
    var options = DecoderOptions(precision: .float)
    options.maximumRows = 8
    return try Decoder(
      architecture: architecture,
      metadata: HostileModelTests.ChangedMetadata(file: file, changes: prefixed), tensors: file,
      pool: #require(Fixture.pool), options: options)
  }

  /// No value of any key crashes; what loads, runs.
  @Test(arguments: names) func absurdValues(name: String) throws {
    for key in Self.keys {
      for value in HostileModelTests.values {
        do {
          let decoder = try load(name, [key: value])
          if decoder.contextLength >= 2 { _ = try decoder.greedy([1], count: 2) }
        } catch let error as ModelError {
          #expect(!"\(error)".isEmpty)
        }
      }
    }
  }

  /// No value of any field of a configuration crashes either.
  @Test(arguments: names) func absurdConfigurations(name: String) throws {
    let copy = try CheckpointCopy(of: String(name.dropFirst("tiny-".count)))
    let original = try #require(
      JSONSerialization.jsonObject(with: copy.read("config.json")) as? [String: Any])
    let rotary = original["rope_parameters"] as? [String: Any] ?? [:]
    var refused = 0
    func attempt(_ changed: [String: Any]) throws {
      try copy.write(JSONSerialization.data(withJSONObject: changed), to: "config.json")
      if try copy.isRefused() { refused += 1 }
    }
    for value in HostileCheckpointTests.values {
      for key in original.keys.sorted() {
        var changed = original
        changed[key] = value
        try attempt(changed)
      }
      for key in rotary.keys.sorted() + ["partial_rotary_factor", "long_factor"] {
        var changed = rotary
        changed[key] = value
        try attempt(original.merging(["rope_parameters": changed]) { $1 })
      }
    }
    #expect(refused > 50)
  }

  @Test(arguments: [
    ("tiny-phi3", "feed_forward_length", GGUFValue.unsigned(40), "blk.0.ffn_gate.weight"),
    ("tiny-phi3", "attention.head_count_kv", .unsigned(4), "blk.0.attn_qkv.weight"),
    ("tiny-phi3-long", "rope.dimension_count", .unsigned(6), "rope_factors_long.weight"),
    ("tiny-phi3-long", "rope.scaling.attn_factor", .float(-1), "rope.scaling.attn_factor"),
    ("tiny-qwen3", "attention.head_count", .unsigned(2), "blk.0.attn_q.weight"),
    ("tiny-qwen3", "rope.dimension_count", .unsigned(8), "qwen3.rope.dimension_count"),
    ("tiny-gemma2", "attn_logit_softcapping", .float(-1), "gemma2.attn_logit_softcapping"),
    ("tiny-gemma2", "attention.sliding_window_pattern", .unsigned(0), "sliding_window_pattern"),
    ("tiny-olmo3", "attention.sliding_window", .signed(-1), "olmo2.attention.sliding_window"),
    ("tiny-mistral3", "attention.temperature_scale", .float(-1), "attention.temperature_scale"),
    ("tiny-gemma4-small", "attention.shared_kv_layers", .unsigned(7), "shared_kv_layers"),
    ("tiny-gemma4-small", "attention.shared_kv_layers", .unsigned(8), "shared_kv_layers"),
    ("tiny-gemma4-small", "attention.shared_kv_layers", .unsigned(2), "blk.4.attn_k.weight"),
    (
      "tiny-gemma4-small", "embedding_length_per_layer_input", .unsigned(24), "per_layer_token_embd"
    ),
    ("tiny-gemma4", "attention.key_length_swa", .unsigned(24), "attention.value_length_swa"),
    ("tiny-gemma4", "feed_forward_length", .unsigned(40), "blk.0.ffn_gate.weight"),
    ("tiny-gemma4", "rope.dimension_count", .unsigned(16), "gemma4.rope.dimension_count"),
    ("tiny-gemma4-moe", "expert_count", .unsigned(5), "blk.0.ffn_down_exps.scale"),
    ("tiny-gemma4-moe", "expert_feed_forward_length", .unsigned(8), "blk.0.ffn_gate_up_exps"),
    ("tiny-qwen35", "nextn_predict_layers", .unsigned(5), "qwen35.nextn_predict_layers"),
    ("tiny-qwen35", "full_attention_interval", .unsigned(9), "no layer with attention"),
    ("tiny-qwen35", "full_attention_interval", .unsigned(1), "blk.0.attn_q.weight"),
    ("tiny-qwen35", "ssm.group_count", .unsigned(4), "ssm.time_step_rank"),
    ("tiny-qwen35", "ssm.group_count", .unsigned(3), "blk.0.attn_qkv.weight"),
    ("tiny-qwen35", "ssm.state_size", .unsigned(24), "qwen35.ssm.state_size"),
    ("tiny-qwen35", "ssm.inner_size", .unsigned(64), "qwen35.ssm.inner_size"),
    ("tiny-qwen35", "ssm.conv_kernel", .unsigned(3), "blk.0.ssm_conv1d.weight"),
    ("tiny-qwen35moe", "nextn_predict_layers", .unsigned(4), "qwen35moe.nextn_predict_layers"),
    ("tiny-qwen35moe", "expert_feed_forward_length", .unsigned(8), "blk.0.ffn_gate_exps.weight"),
    ("tiny-qwen3next", "ssm.time_step_rank", .unsigned(5), "qwen3next.ssm.time_step_rank"),
    ("tiny-qwen3next", "expert_count", .unsigned(7), "blk.0.ffn_gate_inp.weight"),
    ("tiny-lfm2", "shortconv.l_cache", .unsigned(1), "lfm2.shortconv.l_cache"),
    ("tiny-lfm2", "shortconv.l_cache", .unsigned(4), "blk.0.shortconv.conv.weight"),
    ("tiny-lfm2", "attention.head_count_kv", .unsigned(0), "no layer with attention"),
    ("tiny-lfm2", "attention.head_count_kv", .signed(-1), "no layer with attention"),
    ("tiny-lfm2", "attention.head_count_kv", .unsigned(2), "blk.0.attn_q.weight"),
    ("tiny-lfm2", "block_count", .unsigned(6), "lfm2.attention.head_count_kv"),
    ("tiny-lfm2moe", "expert_gating_func", .unsigned(3), "lfm2moe.expert_gating_func"),
    ("tiny-lfm2moe", "leading_dense_block_count", .unsigned(1), "blk.1.ffn_gate_inp.weight"),
    ("tiny-lfm2moe", "leading_dense_block_count", .unsigned(3), "blk.2.ffn_up.weight"),
    ("tiny-glm4moe", "nextn_predict_layers", .unsigned(4), "glm4moe.nextn_predict_layers"),
    ("tiny-glm4moe", "expert_shared_count", .unsigned(1), "blk.1.ffn_gate_shexp.weight"),
    ("tiny-glm4moe", "expert_shared_count", .unsigned(1 << 62), "glm4moe.expert_shared_count"),
    ("tiny-glm4moe", "rope.dimension_count", .unsigned(7), "glm4moe.rope.dimension_count"),
    ("tiny-ernie45moe", "interleave_moe_layer_step", .unsigned(0), "interleave_moe_layer_step"),
    ("tiny-ernie45moe", "interleave_moe_layer_step", .unsigned(1), "blk.2.ffn_gate_inp.weight"),
    ("tiny-ernie45moe", "expert_shared_feed_forward_length", .unsigned(16), "ffn_gate_shexp"),
    ("tiny-granitehybrid", "ssm.group_count", .unsigned(3), "granitehybrid.ssm.time_step_rank"),
    ("tiny-granitehybrid", "ssm.time_step_rank", .unsigned(3), "granitehybrid.ssm.inner_size"),
    ("tiny-granitehybrid", "ssm.time_step_rank", .unsigned(8), "granitehybrid.ssm.inner_size"),
    ("tiny-granitehybrid", "ssm.time_step_rank", .unsigned(2), "blk.0.ssm_in.weight"),
    ("tiny-granitehybrid", "ssm.state_size", .unsigned(25), "granitehybrid.ssm.state_size"),
    ("tiny-granitehybrid", "ssm.conv_kernel", .unsigned(3), "blk.0.ssm_conv1d.weight"),
    ("tiny-granitehybrid", "attention.head_count_kv", .unsigned(0), "no layer with attention"),
    ("tiny-granitehybrid", "attention.head_count_kv", .unsigned(2), "blk.0.attn_q.weight"),
    ("tiny-granitehybrid-dense", "expert_count", .unsigned(4), "expert_used_count"),
    ("tiny-nemotronh", "feed_forward_length", .unsigned(48), "no layer with attention"),
    ("tiny-nemotronh", "feed_forward_length", .unsigned(0), "nemotron_h.feed_forward_length"),
    ("tiny-nemotronh", "attention.head_count_kv", .unsigned(0), "no layer with attention"),
    ("tiny-nemotronh", "attention.head_count_kv", .unsigned(2), "blk.0.attn_q.weight"),
    ("tiny-nemotronh", "nextn_predict_layers", .unsigned(3), "no layer with attention"),
    ("tiny-nemotronh", "expert_count", .unsigned(4), "nemotron_h.expert_feed_forward_length"),
    ("tiny-mamba2", "ssm.inner_size", .unsigned(96), "mamba2.ssm.inner_size"),
    ("tiny-mamba2", "ssm.inner_size", .unsigned(128), "blk.0.ssm_in.weight"),
    ("tiny-mamba2", "ssm.group_count", .unsigned(0), "mamba2.ssm.group_count"),
    ("tiny-mamba2", "attention.layer_norm_rms_epsilon", .float(0), "layer_norm_rms_epsilon"),
    ("tiny-nemotronh-moe", "moe_latent_size", .unsigned(16), "nemotron_h_moe.moe_latent_size"),
    ("tiny-nemotronh-moe", "expert_feed_forward_length", .unsigned(16), "blk.1.ffn_up_exps.weight"),
    (
      "tiny-nemotronh-moe", "expert_shared_feed_forward_length", .unsigned(24),
      "blk.1.ffn_up_shexp.weight"
    ),
  ])
  func errorsNameTheCulprit(
    name: String, key: String, value: GGUFValue, culprit: String
  ) throws {
    let error = try #require(throws: ModelError.self) { try load(name, [key: value]) }
    #expect("\(error)".contains(culprit))
  }

  @Test(arguments: [
    ("tiny-olmo2", "blk.1.post_attention_norm.weight"), ("tiny-glm4", "blk.0.post_ffw_norm.weight"),
    ("tiny-qwen3", "blk.0.attn_q_norm.weight"), ("tiny-phi3", "blk.0.ffn_up.weight"),
    ("tiny-phi3-long", "rope_factors_short.weight"), ("tiny-granite", "blk.1.ffn_norm.weight"),
    ("tiny-gemma4-small", "per_layer_token_embd.weight"),
    ("tiny-gemma4-small", "blk.7.proj.weight"),
    ("tiny-gemma4", "blk.4.attn_k.weight"), ("tiny-gemma4-moe", "blk.1.ffn_gate_inp.scale"),
    ("tiny-gemma4-moe", "blk.2.pre_ffw_norm_2.weight"),
    ("tiny-qwen35", "blk.0.ssm_a"), ("tiny-qwen35", "blk.4.ssm_dt.bias"),
    ("tiny-qwen35", "blk.3.attn_q.weight"), ("tiny-qwen35moe", "blk.2.ssm_beta.weight"),
    ("tiny-qwen35moe", "blk.3.ffn_up_exps.weight"), ("tiny-qwen3next", "blk.1.attn_gate.weight"),
    ("tiny-lfm2", "token_embd_norm.weight"), ("tiny-lfm2", "blk.2.attn_k_norm.weight"),
    ("tiny-lfm2", "blk.1.shortconv.out_proj.weight"), ("tiny-lfm2moe", "blk.4.ffn_up_exps.weight"),
    ("tiny-glm4moe", "blk.1.post_attention_norm.weight"),
    ("tiny-glm4moe-norms", "blk.0.attn_k_norm.weight"), ("tiny-granitehybrid", "blk.0.ssm_d"),
    ("tiny-granitehybrid", "blk.1.ssm_in.weight"), ("tiny-granitehybrid", "blk.3.ssm_norm.weight"),
    ("tiny-granitehybrid", "blk.2.ffn_up_shexp.weight"),
    ("tiny-granitehybrid-dense", "blk.0.ssm_conv1d.weight"),
    ("tiny-granitehybrid-dense", "blk.4.attn_v.weight"),
    ("tiny-nemotronh", "blk.3.attn_norm.weight"),
    ("tiny-nemotronh", "blk.1.ffn_up.weight"), ("tiny-nemotronh", "blk.2.ssm_a"),
    ("tiny-mamba2", "blk.2.ssm_dt.bias"), ("tiny-mamba2", "blk.1.attn_norm.weight"),
    ("tiny-nemotronh-moe", "blk.4.ffn_down_exps.weight"),
    ("tiny-nemotronh-moe", "blk.1.ffn_up_shexp.weight"),
  ])
  func missingTensorsAreNamed(name: String, tensor: String) throws {
    let file = try GGUFFile(path: Fixture.path("\(name).gguf"))
    var options = DecoderOptions(precision: .float)
    options.contextLength = 64
    #expect(throws: ModelError.missingTensor(tensor)) {
      try Decoder(
        architecture: #require(file.string("general.architecture")), metadata: file,
        tensors: HostileModelTests.FewerTensors(file: file, missing: tensor),
        pool: #require(Fixture.pool), options: options)
    }
  }
}
