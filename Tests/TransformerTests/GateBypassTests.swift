import Foundation
import Kernels
import ModelFiles
import Testing
import Transformer

/// Control tokens that go to the bypass expert (ProMoE), in models and in mixtures of adapters.
@Suite struct GateBypassTests {
  private func experts(
    _ gate: GateDescription, marked: Set<Int32>?
  ) throws -> Decoder {
    try Fixture.decoder(Fixture.path("tiny-mixtral.gguf")) {
      $0.gate = gate
      $0.markedTokens = marked
    }
  }

  private func difference(_ one: [[Float]], _ other: [[Float]]) -> Float {
    one.count == other.count
      ? zip(one, other).reduce(0) { max($0, $1.0.largestDifference(to: $1.1)) } : .infinity
  }

  private let tokens: [Int32]

  init() throws {
    tokens = Array(try Fixture.json("tiny-mixtral", as: Fixture.Decoding.self).tokens.prefix(32))
  }

  @Test func markedTokensGoThereAndNoOthers() throws {
    // 6 is in the text more than once.
    let marked: Set<Int32> = [6, 45, 63]
    let decoder = try experts(.proMoE(2), marked: marked)
    _ = try decoder.allLogits(tokens, chunk: 512)
    let statistics = try #require(decoder.gateStatistics(segment: 0))
    let count = tokens.count { marked.contains($0) }
    #expect(count > 4)
    for layer in 0..<2 {
      // Three to choose among, and the last of the model's four is the bypass.
      #expect(statistics.count(layer: layer, expert: 3) == count)
      #expect(
        (0..<3).reduce(0) { $0 + statistics.count(layer: layer, expert: $1) }
          == 2 * (tokens.count - count))
    }
  }

  /// Where all tokens are marked, what the gate would have chosen is no matter; where none is, the
  /// bypass is as if it were not there.
  @Test func theGateDoesNotDecideOnMarkedTokens() throws {
    var one = GateDescription.proMoE(2)
    let all = Set(0..<Int32(64))
    let bypassed = try experts(one, marked: all).allLogits(tokens, chunk: 512)
    one.scores = .linear
    one.weighting = .one
    one.selection = .topK(1)
    #expect(try experts(one, marked: all).allLogits(tokens, chunk: 512) == bypassed)
    let none = try experts(.proMoE(2), marked: []).allLogits(tokens, chunk: 512)
    #expect(difference(none, bypassed) > 1e-2)
    // The last expert as one that is always on, and no other with weight: the same block.
    var last = GateDescription.sharedAndRouted(1, sharedExperts: 1)
    last.scale = 0
    #expect(
      difference(try experts(last, marked: nil).allLogits(tokens, chunk: 512), bypassed) < 1e-5)
  }

  @Test func chunksEqualOneGo() throws {
    let decoder = try experts(.proMoE(2), marked: [6, 45])
    let whole = try decoder.allLogits(tokens, chunk: 512)
    for chunk in [1, 5] {
      #expect(difference(try decoder.allLogits(tokens, chunk: chunk), whole) < 1e-4)
    }
  }

  /// A GGUF file says which tokens are control tokens.
  @Test func controlTokensAreMarked() throws {
    let decoder = try Decoder(
      file: GGUFFile(path: Fixture.model("smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf")),
      pool: #require(Fixture.pool))
    let gate = #"{"selection": {"kind": "all"}, "bypass_expert": true}"#
    let adapter = try mixture(gate, width: 576, layers: 30, target: decoder.adapterTarget) {
      folder in
      for (index, expert) in ["code", "law"].enumerated() {
        try FileManager.default.createSymbolicLink(
          atPath: folder.path + "/e\(index)",
          withDestinationPath: Fixture.model("smollm2-135m-\(expert)"))
      }
    }
    // <|im_start|> and <|im_end|> around two words.
    try decoder.forward([
      BatchSegment(cache: decoder.makeCache(), tokens: [1, 2683, 905, 2], adapter: adapter)
    ])
    let statistics = try #require(decoder.gateStatistics(segment: 0))
    for layer in 0..<30 {
      #expect(statistics.count(layer: layer, expert: 2) == 2)
      #expect(statistics.count(layer: layer, expert: 0) == 2)
    }
  }

  // MARK: - Mixtures of adapters

  private func mixture(
    _ gate: String, width: Int = 32, layers: Int = 2, target: AdapterTarget,
    link: (AdapterFolder) throws -> Void = { try $0.link(["feed-forward", "all"]) }
  ) throws -> Adapter {
    let folder = try AdapterFolder()
    try link(folder)
    try folder.write(
      """
      {"version": 1, "adapters": ["e0", "e1"], "gates": {"mlp": \(gate)},
       "modules": ["gate_proj", "up_proj", "down_proj"]}
      """, to: "mixture.json")
    try folder.writeTensors(
      (0..<layers).map {
        ("layers.\($0).mlp.weight", [2, width], noise(2, width: width, seed: 9).flatMap { $0 })
      }, to: "gate.safetensors")
    return try Adapter(mixturePath: folder.path, target: target)
  }

  private func adapted(marked: Set<Int32>?, bypass: Bool = true) throws -> [[Float]] {
    let base = try Fixture.decoder(AdapterFixture.path("base.gguf")) { $0.markedTokens = marked }
    let gate = """
      {"selection": {"kind": "top_k", "k": 1}\(bypass ? #", "bypass_expert": true"# : "")}
      """
    return try base.allLogits(
      AdapterFixture.expected().tokens, adapter: mixture(gate, target: base.adapterTarget))
  }

  @Test func theBypassOfAdaptersIsTheBase() throws {
    let expected = try AdapterFixture.expected()
    let base = try #require(expected.logits["base"])
    let all = Set(expected.tokens)
    #expect(difference(try adapted(marked: all), base) < 1e-4)
    let without = try adapted(marked: all, bypass: false)
    #expect(difference(without, base) > 1e-2)
    #expect(try adapted(marked: []) == without)
    // The first token that is not marked is the first that the mixture changes.
    let changed = try adapted(marked: Set(expected.tokens[..<8]))
    let first = try #require(
      expected.tokens.firstIndex { !expected.tokens[..<8].contains($0) })
    #expect(difference(Array(changed[..<first]), Array(base[..<first])) < 1e-4)
    #expect(changed[first].largestDifference(to: base[first]) > 1e-3)
  }

  @Test func whereNothingIsKnownOfTokensThereIsNoBypass() throws {
    #expect(throws: ModelError.self) { try experts(.proMoE(2), marked: nil) }
    #expect(throws: AdapterError.self) { try adapted(marked: nil) }
    // All experts of the model shared, none left to choose.
    #expect(throws: ModelError.self) {
      try experts(.sharedAndRouted(1, sharedExperts: 4), marked: nil)
    }
  }
}
