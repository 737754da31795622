import Foundation
import Kernels
import Testing
import Transformer

/// Mixtures whose gates look at the request alone, against the formulas in PyTorch: their experts
/// become one adapter before the pass.
@Suite struct MergedAdapterTests {
  static let names = ["mixture-tasks", "mixture-polytropon", "mixture-mhr"]
  static let tasks: [Int?] = [nil, 0, 1, 2]

  private func key(_ name: String, _ task: Int?) -> String {
    task.map { "\(name)@\($0)" } ?? name
  }

  private func segment(
    _ base: Decoder, _ tokens: [Int32], _ adapter: Adapter?, task: Int?
  ) -> BatchSegment {
    BatchSegment(
      cache: base.makeCache(), tokens: tokens[...], logits: .all, adapter: adapter,
      gating: GateRequest(task: task))
  }

  private func logits(
    _ base: Decoder, _ tokens: [Int32], _ adapter: Adapter?, task: Int?
  ) throws -> [[Float]] {
    let collector = LogitCollector()
    try base.forward([segment(base, tokens, adapter, task: task)]) { collector.receive($0) }
    return tokens.indices.map { collector[0, $0] }
  }

  private func largestDifference(_ rows: [[Float]], _ others: [[Float]]) -> Float {
    zip(rows, others).map { $0.largestDifference(to: $1) }.max() ?? .infinity
  }

  @Test(arguments: names, tasks) func logitsEqualTheFormula(name: String, task: Int?) throws {
    let expected = try AdapterFixture.expected()
    let base = try AdapterFixture.base()
    let mixture = try Adapter(mixturePath: AdapterFixture.path(name), target: base.adapterTarget)
    let logits = try logits(base, expected.tokens, mixture, task: task)
    let key = key(name, task)
    #expect(largestDifference(logits, try #require(expected.logits[key])) < 1e-4)
    // Uniform rows are the same in every split.
    let same =
      task == nil && name != "mixture-tasks" ? ["mixture-polytropon", "mixture-mhr"] : [key]
    for other in expected.logits.keys where !same.contains(other) {
      #expect(largestDifference(logits, try #require(expected.logits[other])) > 1e-3, "\(other)")
    }
    let near = try AdapterFixture.base(.quantized)
    let quantized = try self.logits(
      near, expected.tokens,
      Adapter(mixturePath: AdapterFixture.path(name), target: near.adapterTarget), task: task)
    let alone = try self.logits(near, expected.tokens, nil, task: nil)
    let reference = try #require(expected.logits[key])
    let unadapted = try #require(expected.logits["base"])
    // As near as the base is with its own rounding, give or take.
    #expect(
      largestDifference(quantized, reference) < 3 * largestDifference(alone, unadapted) + 1e-3)
  }

  /// A second request with the same wishes builds nothing and runs with the same adapter, which is
  /// one low-rank product a module, as any single adapter.
  @Test(arguments: names) func aHitBuildsNothing(name: String) throws {
    let expected = try AdapterFixture.expected()
    let base = try AdapterFixture.base()
    let mixture = try Adapter(mixturePath: AdapterFixture.path(name), target: base.adapterTarget)
    #expect(mixture.mergeCount == 0)
    let first = try mixture.resolved(for: GateRequest(task: 1))
    #expect(mixture.mergeCount == 1)
    for seed in 0..<3 {
      #expect(try mixture.resolved(for: GateRequest(seed: UInt64(seed), task: 1)) === first)
    }
    for _ in 0..<3 { _ = try logits(base, expected.tokens, mixture, task: 1) }
    #expect(mixture.mergeCount == 1)
    #expect(first.experts.count == 1)
    #expect(first.mergeCount == nil)
    #expect(try first.resolved(for: GateRequest(task: 2)) === first)
    let other = try mixture.resolved(for: GateRequest(task: 2))
    #expect(other !== first && mixture.mergeCount == 2)
    #expect(other.identity != first.identity)
    // No gate runs.
    #expect(base.gateStatistics(segment: 0) == nil)
  }

  /// Asking for the number that the gates take anyway is no other wish.
  @Test func equalChoicesShareAnAdapter() throws {
    let base = try AdapterFixture.base()
    let mixture = try Adapter(
      mixturePath: AdapterFixture.path("mixture-tasks"), target: base.adapterTarget)
    #expect(mixture.known(for: GateRequest(task: 1)) == nil)
    let own = try mixture.resolved(for: GateRequest(task: 1))
    #expect(try mixture.resolved(for: GateRequest(expertsK: 2, task: 1)) === own)
    #expect(mixture.known(for: GateRequest(expertsK: 2, task: 1)) === own)
    #expect(mixture.mergeCount == 1)
    #expect(try mixture.resolved(for: GateRequest(expertsK: 1, task: 1)) !== own)
    #expect(mixture.mergeCount == 2)
    let single = try Adapter(path: AdapterFixture.path("all"), target: base.adapterTarget)
    #expect(single.known(for: GateRequest(task: 1)) === single)
  }

  @Test func averagedExpertsKeepTheirRank() throws {
    let base = try AdapterFixture.base()
    func bytes(_ name: String) throws -> Int {
      try Adapter(mixturePath: AdapterFixture.path(name), target: base.adapterTarget)
        .resolved(for: GateRequest(task: 0)).byteCount
    }
    let single = try Adapter(
      path: AdapterFixture.path("feed-forward"), target: base.adapterTarget
    ).byteCount
    #expect(try bytes("mixture-polytropon") == single)
    #expect(try bytes("mixture-mhr") == single)
  }

  @Test func aBatchEqualsSingleRuns() throws {
    let expected = try AdapterFixture.expected()
    let base = try AdapterFixture.base()
    let wishes = try Self.names.flatMap { name in
      let mixture = try Adapter(
        mixturePath: AdapterFixture.path(name), target: base.adapterTarget)
      return Self.tasks.map { (name: name, mixture: mixture, task: $0) }
    }
    let collector = LogitCollector()
    try base.forward(
      wishes.map { segment(base, expected.tokens, $0.mixture, task: $0.task) }
        + [segment(base, expected.tokens, nil, task: nil)]
    ) { collector.receive($0) }
    for (index, wish) in wishes.enumerated() {
      let rows = expected.tokens.indices.map { collector[index, $0] }
      let reference = try #require(expected.logits[key(wish.name, wish.task)])
      #expect(largestDifference(rows, reference) < 1e-4, "\(wish.name) \(wish.task ?? -1)")
    }
  }

  @Test(arguments: [-1, 3, Int.max]) func anUnknownTaskIsRefused(task: Int) throws {
    let base = try AdapterFixture.base()
    let mixture = try Adapter(
      mixturePath: AdapterFixture.path("mixture-tasks"), target: base.adapterTarget)
    let error = ModelError.invalidValue(key: "task", value: "\(task)", expected: "0 to 2")
    #expect(throws: error) { try mixture.resolved(for: GateRequest(task: task)) }
    #expect(throws: error) { try mixture.allGates.validate(GateRequest(task: task)) }
    #expect(throws: error) { try logits(base, [1, 2], mixture, task: task) }
    #expect(mixture.mergeCount == 0)
    // Where no gate has tasks, none can be asked for.
    let other = try Adapter(
      mixturePath: AdapterFixture.path("mixture-soft"), target: base.adapterTarget)
    #expect(throws: ModelError.self) { try other.allGates.validate(GateRequest(task: 0)) }
  }

  // MARK: - Files that can't be used

  private func load(
    _ adapters: [String], gate: String, merge: String, shape: [Int]
  ) throws -> Adapter {
    let base = try AdapterFixture.base()
    let folder = try AdapterFolder()
    try folder.link(adapters)
    let entries = adapters.indices.map { "\"e\($0)\"" }.joined(separator: ",")
    try folder.write(
      """
      {"version": 1, "adapters": [\(entries)], "merge": "\(merge)",
       "modules": ["gate_proj", "up_proj", "down_proj"], "gates": {"mlp": \(gate)}}
      """, to: "mixture.json")
    try folder.writeTensors(
      (0..<2).map {
        ("layers.\($0).mlp.weight", shape, Array(repeating: 0.5, count: shape.reduce(1, *)))
      },
      to: "gate.safetensors")
    return try Adapter(mixturePath: folder.path, target: base.adapterTarget)
  }

  @Test func whatCannotBeMergedIsRefused() throws {
    let all = #"{"scores": "per_task", "selection": {"kind": "all"}}"#
    let linear = #"{"selection": {"kind": "all"}}"#
    let same = ["feed-forward", "one-layer"]
    _ = try load(same, gate: all, merge: "parameters", shape: [2, 2])
    _ = try load(["feed-forward", "all"], gate: all, merge: "results", shape: [2, 2])
    for (adapters, gate, merge, shape) in [
      (["feed-forward", "all"], all, "parameters", [2, 2]),  // ranks 4 and 8
      (same, all, "parameters", [2, 3, 2]),  // three parts of 32 inputs
      (same, all, "parameters", [2, 0, 2]), (same, all, "parameters", [0, 2]),
      (same, all, "parameters", [2, 3]), (same, all, "parameters", [4]),
      (same, all, "results", [2, 2, 2]), (same, all, "sums", [2, 2]),
      (same, linear, "results", [2, 32]), (same, linear, "parameters", [2, 32]),
    ] {
      #expect(throws: AdapterError.self, "\(merge) \(shape)") {
        try load(adapters, gate: gate, merge: merge, shape: shape)
      }
    }
  }
}
