import Foundation
import Kernels
import Testing
import Transformer

/// Smoothed gates in models and in mixtures of adapters: what a token's experts are depends on the
/// tokens before it, and on nothing else.
@Suite struct GateSmoothingModelTests {
  /// What a test runs: a mixture of experts with a smoothed gate, or a mixture of adapters with one.
  enum Subject: Sendable {
    case experts, adapters
  }

  static let subjects: [(Subject, GateSmoothing.Similarity)] = [
    (.experts, .cosine(temperature: 0.2)), (.experts, .dot(factor: 0.05)),
    (.experts, .attention), (.adapters, .cosine(temperature: 0.2)),
    (.adapters, .dot(factor: 0.05)),
  ]

  private struct Model {
    var decoder: Decoder
    var adapter: Adapter?
    var tokens: [Int32]

    func segment(
      _ cache: KVCache, _ tokens: ArraySlice<Int32>, logits: LogitSelection = .all
    ) -> BatchSegment {
      BatchSegment(cache: cache, tokens: tokens, logits: logits, adapter: adapter)
    }

    /// Logits of a text read in pieces that end at `ends`.
    func logits(
      _ tokens: [Int32], ends: [Int]? = nil, cache: KVCache? = nil
    ) throws -> [[Float]] {
      let cache = cache ?? decoder.makeCache()
      let collector = LogitCollector()
      let start = cache.count
      for end in ends ?? [tokens.count] {
        try decoder.forward([segment(cache, tokens[(cache.count - start)..<end])]) {
          collector.receive($0)
        }
      }
      return tokens.indices.map { collector[0, start + $0] }
    }
  }

  private func model(_ subject: Subject, mix: Float, _ similarity: GateSmoothing.Similarity)
    throws -> Model
  {
    let smoothing = GateSmoothing(mix: mix, similarity: similarity)
    switch subject {
    case .experts:
      let tokens = try Fixture.json("tiny-mixtral", as: Fixture.Decoding.self).tokens
      var gate = GateDescription.topKSoftmax(2, normalized: true)
      gate.smoothing = smoothing
      return Model(
        decoder: try Fixture.decoder(Fixture.path("tiny-mixtral.gguf")) { $0.gate = gate },
        tokens: tokens)
    case .adapters:
      let decoder = try AdapterFixture.base()
      let folder = try mixture(smoothing)
      return Model(
        decoder: decoder,
        adapter: try Adapter(mixturePath: folder.path, target: decoder.adapterTarget),
        tokens: try AdapterFixture.expected().tokens)
    }
  }

  /// A mixture with gates at both places, smoothed or not.
  private func mixture(_ smoothing: GateSmoothing?) throws -> AdapterFolder {
    let folder = try AdapterFolder()
    try folder.link(["all", "patterns", "feed-forward"])
    var description = GateDescription.topKSoftmax(2, normalized: true)
    description.smoothing = smoothing
    let gate = String(decoding: try JSONEncoder().encode(description), as: UTF8.self)
    try folder.write(
      """
      {"version": 1, "adapters": ["e0", "e1", "e2"],
       "gates": {"attention": \(gate), "mlp": \(gate)}}
      """, to: "mixture.json")
    try folder.writeTensors(
      (0..<2).flatMap { layer in
        ["attention", "mlp"].map { place in
          (
            "layers.\(layer).\(place).weight", [3, 32],
            noise(3, width: 32, seed: UInt64(7 * layer + place.count)).flatMap { $0 }
          )
        }
      }, to: "gate.safetensors")
    return folder
  }

  private func difference(_ one: [[Float]], _ other: [[Float]]) -> Float {
    one.count == other.count
      ? zip(one, other).reduce(0) { max($0, $1.0.largestDifference(to: $1.1)) } : .infinity
  }

  /// What scripts/fixtures/smoothed_gates.py writes.
  private struct Golden: Decodable {
    struct Case: Decodable {
      var smoothing: GateSmoothing
      var logits: [[Float]]
    }

    var tokens: [Int32]
    var cases: [Case]
  }

  @Test func logitsEqualTheFormula() throws {
    let golden = try Fixture.json("smoothed-gates", as: Golden.self)
    #expect(golden.cases.count == 3)
    for expected in golden.cases {
      let smoothing = expected.smoothing
      let model = try model(.experts, mix: smoothing.mix, smoothing.similarity)
      let logits = try model.logits(golden.tokens)
      #expect(difference(logits, expected.logits) < 1e-3, "\(smoothing)")
      for other in golden.cases where other.smoothing != smoothing {
        #expect(difference(logits, other.logits) > 1e-2, "\(smoothing), \(other.smoothing)")
      }
    }
  }

  @Test(arguments: subjects) func withoutAMixItIsThePlainGate(
    subject: Subject, similarity: GateSmoothing.Similarity
  ) throws {
    let plain = try model(subject, mix: 0, similarity)
    let logits = try plain.logits(plain.tokens)
    if subject == .experts {
      let golden = try Fixture.json("tiny-mixtral", as: Fixture.Decoding.self)
      #expect(difference(logits, try #require(golden.logits)) < 1e-3)
    }
    let smoothed = try model(subject, mix: 0.7, similarity)
    #expect(difference(try smoothed.logits(smoothed.tokens), logits) > 1e-2)
    if subject == .adapters {
      let folder = try mixture(nil)
      let adapter = try Adapter(mixturePath: folder.path, target: plain.decoder.adapterTarget)
      #expect(try plain.decoder.allLogits(plain.tokens, adapter: adapter) == logits)
    }
  }

  @Test(arguments: subjects) func aLaterTokenChangesNothingBefore(
    subject: Subject, similarity: GateSmoothing.Similarity
  ) throws {
    let model = try model(subject, mix: 0.7, similarity)
    var changed = model.tokens
    changed[15] = (changed[15] + 1) % 64
    let before = try model.logits(model.tokens)
    let after = try model.logits(changed)
    #expect(difference(Array(after[..<15]), Array(before[..<15])) < 1e-5)
    #expect(difference([after[15]], [before[15]]) > 1e-3)
  }

  @Test(arguments: subjects) func chunksAndDecodingEqualOneGo(
    subject: Subject, similarity: GateSmoothing.Similarity
  ) throws {
    let model = try model(subject, mix: 0.7, similarity)
    let count = model.tokens.count
    let whole = try model.logits(model.tokens)
    for ends in [Array(1...count), [7, 8, 20, count], [1, 2, count - 1, count]] {
      #expect(difference(try model.logits(model.tokens, ends: ends), whole) < 1e-4, "\(ends)")
    }
  }

  /// Sequences of other lengths, one of which decodes; some with another adapter or none.
  @Test(arguments: subjects) func batchEqualsAlone(
    subject: Subject, similarity: GateSmoothing.Similarity
  ) throws {
    let model = try model(subject, mix: 0.7, similarity)
    let texts = [3..<14, 0..<22, 5..<6, 1..<19].map { Array(model.tokens[$0]) }
    let alone = try texts.map { try model.logits($0) }
    let caches = texts.map { _ in model.decoder.makeCache() }
    let collector = LogitCollector()
    try model.decoder.forward([model.segment(caches[1], texts[1][..<21], logits: .none)])
    var batch = texts.indices.map { model.segment(caches[$0], texts[$0][caches[$0].count...]) }
    batch.insert(
      BatchSegment(cache: model.decoder.makeCache(), tokens: [1, 2, 3], logits: .none), at: 1)
    try model.decoder.forward(batch) { collector.receive($0) }
    for (index, segment) in [0, 2, 3, 4].enumerated() {
      for position in texts[index].indices where index != 1 || position == 21 {
        #expect(
          collector[segment, position].largestDifference(to: alone[index][position]) < 1e-4)
      }
    }
  }

  @Test(arguments: subjects) func goingBackForgets(
    subject: Subject, similarity: GateSmoothing.Similarity
  ) throws {
    let model = try model(subject, mix: 0.7, similarity)
    let whole = try model.logits(model.tokens)
    let cache = model.decoder.makeCache()
    _ = try model.logits(Array(model.tokens[..<10]) + [60, 61, 62, 63], cache: cache)
    cache.truncate(to: 10)
    let rest = try model.logits(Array(model.tokens[10...]), cache: cache)
    #expect(difference(rest, Array(whole[10...])) < 1e-4)
    cache.truncate(to: 0)
    #expect(difference(try model.logits(model.tokens, cache: cache), whole) == 0)
  }

  /// What gates remember counts against the limit of the keys and values, block by block.
  @Test(arguments: subjects) func whatIsRememberedIsCharged(
    subject: Subject, similarity: GateSmoothing.Similarity
  ) throws {
    let model = try model(subject, mix: 0.7, similarity)
    let pool = model.decoder.pagePool
    let block = model.decoder.bytesPerBlock(adapter: model.adapter)
    // Two layers of 4 experts, or two of two places with 3 adapters, and the rows that they read.
    let floats =
      switch (subject, similarity) {
      case (.experts, .attention): 2 * 4
      case (.experts, _): 2 * (4 + 32)
      case (.adapters, _): 4 * (3 + 32)
      }
    #expect(block == pool.bytesPerBlock + KVLayout.positions * floats * 4)
    let long = (0..<6).flatMap { _ in model.tokens.prefix(24) }.map(\.self)
    do {
      // One that is made with its adapter, and one that gets it with the first pass.
      let cache = model.decoder.makeCache(adapter: model.adapter)
      #expect(cache.missingBytes(forPositions: 65) == 2 * block)
      try cache.reserve(positions: 65)
      #expect(pool.usedBytes == 2 * block)
      let other = model.decoder.makeCache()
      _ = try model.logits(long, cache: other)
      #expect(pool.usedBytes == 5 * block)
      let fork = other.sharedPrefix(upTo: 70)
      #expect(pool.usedBytes == 5 * block + block - pool.bytesPerBlock)
      other.truncate(to: 64)
      fork.truncate(to: 0)
      #expect(pool.usedBytes == 3 * block)
      other.truncate(to: 0)
      #expect(pool.usedBytes == 2 * block)
    }
    #expect(pool.usedBytes == 0)
  }

  /// A sequence that goes on from another's beginning takes what its gates have seen along; one that
  /// has the keys and values only is refused.
  @Test(arguments: subjects) func forkedSequences(
    subject: Subject, similarity: GateSmoothing.Similarity
  ) throws {
    let model = try model(subject, mix: 0.7, similarity)
    let long = (0..<6).flatMap { _ in model.tokens.prefix(24) }.map(\.self)
    let whole = try model.logits(long)
    let cache = model.decoder.makeCache()
    _ = try model.logits(long, cache: cache)
    let fork = cache.sharedPrefix(upTo: 70)
    #expect(fork.count == 64)
    #expect(
      difference(try model.logits(Array(long[64...]), cache: fork), Array(whole[64...])) < 1e-4)
    #expect(!model.decoder.sharesPrefixes(adapter: model.adapter))
    let adopted = model.decoder.makeCache(adopting: Array(cache.fullBlocks))
    #expect(throws: ModelError.self) {
      try model.decoder.forward([model.segment(adopted, [1])])
    }
    if subject == .adapters {
      // The base alone has no gates, and shares as before.
      #expect(model.decoder.sharesPrefixes())
      // A sequence doesn't change its adapter.
      let plain = model.decoder.makeCache()
      try model.decoder.forward([BatchSegment(cache: plain, tokens: [1, 2])])
      #expect(throws: ModelError.self) {
        try model.decoder.forward([model.segment(plain, [3])])
      }
    }
  }

  @Test func whatCannotBeIsRefused() throws {
    #expect(throws: AdapterError.self) { _ = try model(.adapters, mix: 0.5, .attention) }
    #expect(throws: ModelError.self) { _ = try model(.experts, mix: 1.5, .dot(factor: 1)) }
    #expect(throws: AdapterError.self) { _ = try model(.adapters, mix: -1, .dot(factor: 1)) }
  }
}
