import Foundation
import Kernels
import Testing
import Transformer

/// Mixtures of adapters against the formula in PyTorch, and against single adapters.
@Suite struct MixtureAdapterTests {
  static let names = ["mixture-soft", "mixture-top1", "mixture-top2"]

  private func largestDifference(_ rows: [[Float]], _ others: [[Float]]) -> Float {
    zip(rows, others).map { $0.largestDifference(to: $1) }.max() ?? .infinity
  }

  @Test(arguments: names) func logitsEqualTheFormula(name: String) throws {
    let expected = try AdapterFixture.expected()
    let base = try AdapterFixture.base()
    let mixture = try Adapter(
      mixturePath: AdapterFixture.path(name), target: base.adapterTarget)
    let logits = try base.allLogits(expected.tokens, adapter: mixture)
    #expect(largestDifference(logits, try #require(expected.logits[name])) < 1e-4)
    for other in expected.logits.keys where other != name {
      #expect(largestDifference(logits, try #require(expected.logits[other])) > 1e-2, "\(other)")
    }
  }

  /// A mixture of two adapters whose gate always gives the first, or always the second.
  private func oneHot(
    _ chosen: Int, of adapters: [String], places: [String], weighting: String = "raw"
  ) throws -> AdapterFolder {
    let folder = try AdapterFolder()
    let gate = """
      {"scores": "linear", "selection": {"kind": "top_k", "k": 1}, "weighting": "\(weighting)"}
      """
    try folder.link(adapters)
    try folder.write(
      """
      {"version": 1, "adapters": [\(adapters.indices.map { "\"e\($0)\"" }.joined(separator: ","))],
       "gates": {\(places.map { "\"\($0)\": \(gate)" }.joined(separator: ","))}}
      """, to: "mixture.json")
    var tensors: [(name: String, shape: [Int], values: [Float])] = []
    for layer in 0..<2 {
      for place in places {
        tensors.append(
          (
            "layers.\(layer).\(place).weight", [adapters.count, 32],
            Array(repeating: 0, count: adapters.count * 32)
          ))
        tensors.append(
          (
            "layers.\(layer).\(place).bias", [adapters.count],
            adapters.indices.map { $0 == chosen ? 100 : -100 }
          ))
      }
    }
    try folder.writeTensors(tensors, to: "gate.safetensors")
    return folder
  }

  @Test(arguments: [0, 1, 2]) func aOneHotGateEqualsThatAdapter(chosen: Int) throws {
    let expected = try AdapterFixture.expected()
    let base = try AdapterFixture.base()
    let names = ["all", "attention", "patterns"]
    let folder = try oneHot(chosen, of: names, places: ["attention", "mlp"])
    let mixture = try Adapter(mixturePath: folder.path, target: base.adapterTarget)
    let logits = try base.allLogits(expected.tokens, adapter: mixture)
    #expect(largestDifference(logits, try #require(expected.logits[names[chosen]])) < 1e-4)
  }

  /// LLaVA-MoLE: several times the same expert equals that expert.
  @Test func identicalExpertsEqualOne() throws {
    let expected = try AdapterFixture.expected()
    let base = try AdapterFixture.base()
    let folder = try oneHot(
      1, of: ["feed-forward", "feed-forward", "feed-forward"], places: ["mlp"], weighting: "one")
    let mixture = try Adapter(mixturePath: folder.path, target: base.adapterTarget)
    let logits = try base.allLogits(expected.tokens, adapter: mixture)
    #expect(largestDifference(logits, try #require(expected.logits["feed-forward"])) < 1e-4)
  }

  @Test func modulesThatAreNotNamedAreLeftOut() throws {
    let expected = try AdapterFixture.expected()
    let base = try AdapterFixture.base()
    let folder = try oneHot(0, of: ["root-scale"], places: ["attention"])
    let text = try String(contentsOfFile: folder.path + "/mixture.json", encoding: .utf8)
    func logits(_ modules: String) throws -> [[Float]] {
      try folder.write(
        text.replacing("\"gates\"", with: "\"modules\": [\(modules)], \"gates\""),
        to: "mixture.json")
      return try base.allLogits(
        expected.tokens,
        adapter: Adapter(
          mixturePath: folder.path + "/mixture.json", target: base.adapterTarget))
    }
    let whole = try #require(expected.logits["root-scale"])
    #expect(largestDifference(try logits("\"q_proj\", \"v_proj\""), whole) < 1e-4)
    #expect(largestDifference(try logits("\"q_proj\""), whole) > 1e-3)
  }

  @Test(arguments: [WeightMatrix.Precision.float, .quantized])
  func aBatchEqualsSingleRuns(precision: WeightMatrix.Precision) throws {
    let expected = try AdapterFixture.expected()
    let base = try AdapterFixture.base(precision)
    var adapters: [Adapter?] = try Self.names.map {
      try Adapter(mixturePath: AdapterFixture.path($0), target: base.adapterTarget)
    }
    adapters.insert(nil, at: 1)
    adapters.append(try Adapter(path: AdapterFixture.path("all"), target: base.adapterTarget))
    let texts = adapters.indices.map { Array(expected.tokens[$0..<20 - 2 * $0]) }
    let alone = try zip(texts, adapters).map { try base.allLogits($0, adapter: $1) }
    let collector = LogitCollector()
    try base.forward(
      zip(texts, adapters).map {
        BatchSegment(cache: base.makeCache(), tokens: $0[...], logits: .all, adapter: $1)
      }
    ) { collector.receive($0) }
    for (segment, text) in texts.enumerated() {
      for position in text.indices {
        #expect(collector[segment, position] == alone[segment][position])
      }
    }
  }

  @Test func decodingEqualsOnePass() throws {
    let expected = try AdapterFixture.expected()
    let base = try AdapterFixture.base()
    for name in Self.names {
      let mixture = try Adapter(
        mixturePath: AdapterFixture.path(name), target: base.adapterTarget)
      let wanted = try #require(expected.logits[name])
      let cache = base.makeCache()
      for (position, token) in expected.tokens.enumerated() {
        let collector = LogitCollector()
        try base.forward([BatchSegment(cache: cache, tokens: [token], adapter: mixture)]) {
          collector.receive($0)
        }
        #expect(collector[0, position].largestDifference(to: wanted[position]) < 1e-4)
      }
    }
  }

  @Test func whatTheGateChoseIsCounted() throws {
    let base = try AdapterFixture.base()
    let folder = try oneHot(1, of: ["all", "feed-forward"], places: ["attention", "mlp"])
    let mixture = try Adapter(mixturePath: folder.path, target: base.adapterTarget)
    try base.forward([
      BatchSegment(cache: base.makeCache(), tokens: [1, 2, 3]),
      BatchSegment(cache: base.makeCache(), tokens: [1, 2, 3, 4], adapter: mixture),
    ])
    #expect(base.gateStatistics(segment: 0) == nil, "it has no gate, whoever runs beside it")
    let statistics = try #require(base.gateStatistics(segment: 1))
    #expect(statistics.meanActive == 1)
    for layer in 0..<2 {
      #expect(statistics.count(layer: layer, expert: 0) == 0)
      #expect(statistics.count(layer: layer, expert: 1) == 2 * 4, "two gates a layer")
    }
  }

  /// What a mixture reports doesn't depend on which ran before it, or run beside it.
  @Test func statisticsHaveTheMixturesOwnExperts() throws {
    let base = try AdapterFixture.base()
    func mixture(_ count: Int) throws -> (folder: AdapterFolder, adapter: Adapter) {
      let folder = try oneHot(
        1, of: Array(repeating: "all", count: count), places: ["attention", "mlp"])
      return (folder, try Adapter(mixturePath: folder.path, target: base.adapterTarget))
    }
    func segment(_ adapter: Adapter) -> BatchSegment {
      BatchSegment(cache: base.makeCache(), tokens: [1, 2, 3], adapter: adapter)
    }
    let small = try mixture(3)
    let large = try mixture(8)
    try base.forward([segment(small.adapter)])
    let fresh = try #require(base.gateStatistics(segment: 0))
    #expect(fresh.expertCount == 3 && fresh.shares(layer: 0) == [0, 1, 0])
    try base.forward([segment(large.adapter), segment(small.adapter)])
    #expect(base.gateStatistics(segment: 0)?.expertCount == 8)
    #expect(base.gateStatistics(segment: 1) == fresh)
    try base.forward([segment(small.adapter)])
    #expect(base.gateStatistics(segment: 0) == fresh)
  }

  // MARK: - Files that can't be used

  private func error(
    _ change: (String) -> String = { $0 },
    tensors: [(name: String, shape: [Int], values: [Float])]? = nil
  ) throws -> AdapterError? {
    let base = try AdapterFixture.base()
    let folder = try oneHot(0, of: ["all", "feed-forward"], places: ["attention", "mlp"])
    let text = try String(contentsOfFile: folder.path + "/mixture.json", encoding: .utf8)
    try folder.write(change(text), to: "mixture.json")
    if let tensors { try folder.writeTensors(tensors, to: "gate.safetensors") }
    do {
      _ = try base.allLogits(
        [1, 2], adapter: Adapter(mixturePath: folder.path, target: base.adapterTarget))
      return nil
    } catch let error as AdapterError {
      return error
    }
  }

  @Test(arguments: [
    ("\"version\": 1", "\"version\": 2", "version"), ("\"version\": 1,", "", "version"),
    ("\"e0\"", "\"/etc\"", "adapters"), ("\"e0\"", "\"\"", "adapters"),
    ("\"e0\"", "\"nobody\"", "nobody"), ("[\"e0\",\"e1\"]", "[]", "adapters"),
    ("\"gates\"", "\"modules\": [\"fc1\"], \"gates\"", "fc1"),
    ("\"gates\"", "\"modules\": [], \"gates\"", "modules"),
    ("\"mlp\"", "\"ffn\"", "ffn"), ("\"attention\"", "\"mlp2\"", "mlp2"),
    ("\"k\": 1", "\"k\": 0", "k"), ("\"k\": 1", "\"k\": 3", "k"),
    ("\"linear\"", "\"magic\"", "magic"), ("\"linear\"", "\"cosine\"", "bias"),
    ("top_k", "best", "best"),
    ("\"weighting\": \"raw\"", "\"shared_experts\": \(Int.min)", "attention"),
    ("\"weighting\": \"raw\"", "\"shared_experts\": \(Int.max)", "attention"),
    ("\"weighting\": \"raw\"", "\"shared_experts\": 2", "attention"),
    ("\"weighting\": \"raw\"", "\"bypass_expert\": true", "bypass_expert"),  // no control tokens
  ])
  func badDescriptions(part: String, replacement: String, named: String) throws {
    let error = try #require(
      try error { $0.replacing(part, with: replacement) }, "\(replacement) was taken")
    #expect("\(error)".contains(named), "\(error)")
  }

  @Test func badGateTensors() throws {
    #expect(try error() == nil)
    func tensors(
      _ change: (inout (name: String, shape: [Int], values: [Float])) -> Void
    ) -> [(name: String, shape: [Int], values: [Float])] {
      (0..<2).flatMap { layer in
        ["attention", "mlp"].map { place in
          var tensor = (
            name: "layers.\(layer).\(place).weight", shape: [2, 32],
            values: [Float](repeating: 0.5, count: 64)
          )
          if layer == 1, place == "mlp" { change(&tensor) }
          return tensor
        }
      }
    }
    #expect(try error(tensors: tensors { _ in }) == nil)
    let name = "layers.1.mlp.weight"
    guard
      case .wrongShape(_, name, [1, 64], [2, 32])? = try error(
        tensors: tensors { $0.shape = [1, 64] })
    else {
      Issue.record("a wrong shape was taken")
      return
    }
    guard case .notFinite(_, name)? = try error(tensors: tensors { $0.values[7] = .nan }) else {
      Issue.record("a NaN was taken")
      return
    }
    guard case .missingTensor(_, name)? = try error(tensors: tensors { $0.name += "s" }) else {
      Issue.record("a missing tensor was taken")
      return
    }
    let more = tensors { _ in } + [("layers.2.mlp.weight", [1], [1])]
    guard case .unknownModule(_, "layers.2.mlp.weight")? = try error(tensors: more) else {
      Issue.record("a tensor of no layer was taken")
      return
    }
  }
}
