import Foundation
import Testing
import Transformer

/// No file crashes: what is wrong with it is said, with the name of the key or tensor.
@Suite struct HostileAdapterTests {
  private func error(
    _ changes: [String: String] = [:],
    _ tensors: [(name: String, shape: [Int], values: [Float])] = AdapterFolder.pair()
  ) throws -> AdapterError? {
    let folder = try AdapterFolder()
    try folder.writeConfiguration(changes)
    try folder.writeTensors(tensors)
    let base = try AdapterFixture.base()
    do {
      let adapter = try Adapter(path: folder.path, target: base.adapterTarget)
      _ = try base.allLogits([1, 2, 3], adapter: adapter)
      return nil
    } catch let error as AdapterError {
      return error
    }
  }

  @Test func theUnchangedOneLoads() throws {
    #expect(try error() == nil)
    #expect(try error(["rank_pattern": "{}", "modules_to_save": "[]", "use_dora": "false"]) == nil)
    #expect(try error(["init_lora_weights": "true"]) == nil)
    #expect(try error(["init_lora_weights": "\"gaussian\""]) == nil)
  }

  @Test(arguments: [
    ("r", "0"), ("r", "-1"), ("r", "1000000000"), ("r", "9223372036854775808"), ("r", "2.5"),
    ("r", "\"2\""), ("r", ""), ("lora_alpha", "NaN"), ("lora_alpha", "1e999"), ("lora_alpha", ""),
    ("lora_alpha", "1e30"), ("lora_alpha", "null"), ("rank_pattern", "{\"up_proj\": 0}"),
    ("rank_pattern", "{\"up_proj\": \"x\"}"), ("rank_pattern", "[1]"),
    ("rank_pattern", "{\"(a+)+$\": 2}"), ("rank_pattern", "{\"\": 2}"),
    ("alpha_pattern", "{\"up_proj\": 1e40}"),
    ("alpha_pattern", "{\"up_proj\": 1, \"mlp.up_proj\": 2}"),
    ("use_dora", "true"), ("use_rslora", "3"), ("bias", "\"all\""), ("bias", "\"lora_only\""),
    ("modules_to_save", "[\"lm_head\"]"), ("fan_in_fan_out", "true"), ("lora_bias", "true"),
    ("peft_type", "\"IA3\""), ("peft_type", ""), ("layer_replication", "[[0,1],[0,1]]"),
    ("init_lora_weights", "\"pissa_niter_4\""), ("trainable_token_indices", "[1]"),
    ("target_parameters", "[\"x\"]"), ("alora_invocation_tokens", "[1]"),
  ])
  func badConfigurations(key: String, value: String) throws {
    let error = try #require(try error([key: value]))
    #expect("\(error)".contains(key) || "\(error)".contains("JSON"), "\(error)")
  }

  @Test func wrongShapes() throws {
    let cases = [
      AdapterFolder.pair(rank: 3), AdapterFolder.pair(inputs: 64), AdapterFolder.pair(outputs: 32),
      AdapterFolder.pair(rank: 0), AdapterFolder.pair(inputs: 0),
    ]
    for tensors in cases {
      guard case .wrongShape(_, let tensor, _, _)? = try error([:], tensors) else {
        Issue.record("\(tensors.map(\.shape)) was taken")
        continue
      }
      #expect(tensor.contains("up_proj.lora_"))
    }
  }

  @Test(arguments: [
    "model.layers.2.mlp.up_proj", "model.layers.-1.mlp.up_proj", "model.layers.00.mlp.up_proj",
    "model.layers.9223372036854775808.mlp.up_proj", "model.layers.0.self_attn.up_proj",
    "model.layers.0.mlp.fc1", "lm_head", "model.embed_tokens", "",
    "vision_tower.vision_model.encoder.layers.0.self_attn.q_proj", "model..layers.0.mlp.up_proj",
  ])
  func unknownModules(module: String) throws {
    guard case .unknownModule(_, let tensor)? = try error([:], AdapterFolder.pair(module)) else {
      Issue.record("\(module) was taken")
      return
    }
    #expect(tensor.hasPrefix("base_model.model.\(module)."))
  }

  @Test func otherTensors() throws {
    let other = [
      ("base_model.model.model.layers.0.mlp.up_proj.lora_magnitude_vector", [64]),
      ("base_model.model.model.layers.0.mlp.up_proj.lora_B.bias", [64]),
      ("base_model.model.model.layers.0.mlp.up_proj.base_layer.weight", [64]),
    ]
    for (name, shape) in other {
      let tensors =
        AdapterFolder.pair() + [(name, shape, Array(repeating: Float(1), count: shape[0]))]
      #expect(
        try error([:], tensors).map { "\($0)".contains(name) } == true, "\(name) was taken")
    }
    // The same module under two names.
    let twice = AdapterFolder.pair() + AdapterFolder.pair("layers.0.mlp.up_proj")
    #expect(try error([:], twice) != nil)
  }

  @Test func halfAPair() throws {
    for index in 0...1 {
      guard
        case .missingTensor(_, let tensor)? = try error([:], [AdapterFolder.pair()[index]])
      else {
        Issue.record("half a pair was taken")
        continue
      }
      #expect(tensor.hasSuffix(index == 0 ? "lora_B.weight" : "lora_A.weight"))
    }
    #expect(try error([:], []) != nil)
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity], [0, 1])
  func numbersThatAreNone(value: Float, index: Int) throws {
    var tensors = AdapterFolder.pair()
    tensors[index].values[5] = value
    guard case .notFinite(_, let tensor)? = try error([:], tensors) else {
      Issue.record("\(value) was taken")
      return
    }
    #expect(tensor == tensors[index].name)
  }

  @Test func filesThatAreNone() throws {
    let base = try AdapterFixture.base()
    let folder = try AdapterFolder()
    func load() throws { _ = try Adapter(path: folder.path, target: base.adapterTarget) }
    #expect(
      throws: AdapterError.unreadable(
        path: folder.path + "/adapter_config.json", reason: "is missing")
    ) { try load() }
    for text in ["", "[]", "{", "null", "{}"] {
      try folder.write(text, to: "adapter_config.json")
      #expect(throws: AdapterError.self) { try load() }
    }
    try folder.writeConfiguration()
    #expect(throws: AdapterError.self) { try load() }
    for text in ["", "short", "{}{}{}{}{}{}"] {
      try folder.write(text, to: "adapter_model.safetensors")
      #expect(throws: AdapterError.self) { try load() }
    }
  }

  /// Changes any byte of a good file: it loads or says why not.
  @Test func changedBytes() throws {
    let base = try AdapterFixture.base()
    let folder = try AdapterFolder()
    try folder.writeTensors(AdapterFolder.pair(rank: 1), to: "good.safetensors")
    let good = try Data(contentsOf: URL(filePath: folder.path + "/good.safetensors"))
    try folder.writeConfiguration(["r": "1"])
    for index in 0..<min(good.count, 280) {
      for change: UInt8 in [1, 0x80] {
        var bytes = good
        bytes[index] ^= change
        try bytes.write(to: URL(filePath: folder.path + "/adapter_model.safetensors"))
        do {
          _ = try Adapter(path: folder.path, target: base.adapterTarget)
        } catch {
          #expect(!"\(error)".isEmpty)
        }
      }
    }
  }
}
