import Kernels
import Testing
import Transformer

/// Adapters in PEFT's files against PEFT.
@Suite struct AdapterTests {
  @Test(arguments: AdapterFixture.names) func logitsEqualPEFT(name: String) throws {
    let expected = try AdapterFixture.expected()
    let base = try AdapterFixture.base()
    let adapter = try Adapter(path: AdapterFixture.path(name), target: base.adapterTarget)
    let logits = try base.allLogits(expected.tokens, adapter: adapter)
    let wanted = try #require(expected.logits[name])
    let plain = try #require(expected.logits["base"])
    for (row, wantedRow) in zip(logits, wanted) {
      #expect(row.largestDifference(to: wantedRow) < 1e-4)
    }
    // Else nothing was tested.
    #expect(zip(wanted, plain).contains { $0.largestDifference(to: $1) > 1e-2 })
  }

  @Test func theBaseIsLeftAsItWas() throws {
    let expected = try AdapterFixture.expected()
    let base = try AdapterFixture.base()
    let adapter = try Adapter(path: AdapterFixture.path("all"), target: base.adapterTarget)
    let before = try base.allLogits(expected.tokens, adapter: nil)
    _ = try base.allLogits(expected.tokens, adapter: adapter)
    #expect(try base.allLogits(expected.tokens, adapter: nil) == before)
    for (row, wantedRow) in zip(before, try #require(expected.logits["base"])) {
      #expect(row.largestDifference(to: wantedRow) < 1e-4)
    }
  }

  @Test(arguments: [WeightMatrix.Precision.float, .quantized])
  func aBatchOfAdaptersEqualsSingleRuns(precision: WeightMatrix.Precision) throws {
    let expected = try AdapterFixture.expected()
    let base = try AdapterFixture.base(precision)
    let adapters: [Adapter?] =
      try AdapterFixture.names.map {
        try Adapter(path: AdapterFixture.path($0), target: base.adapterTarget)
      } + [nil]
    // Texts of different lengths; two of the same adapter beside each other.
    let order = [0, 1, 2, 2, 8, 3, 4, 5, 6, 7, 0]
    let texts = order.indices.map { Array(expected.tokens[$0..<min(24, 2 * $0 + 3)]) }
    let alone = try zip(order, texts).map { try base.allLogits($1, adapter: adapters[$0]) }
    let collector = LogitCollector()
    try base.forward(
      zip(order, texts).map {
        BatchSegment(
          cache: base.makeCache(), tokens: $1[...], logits: .all, adapter: adapters[$0])
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
    let adapter = try Adapter(path: AdapterFixture.path("all"), target: base.adapterTarget)
    let wanted = try base.allLogits(expected.tokens, adapter: adapter)
    let cache = base.makeCache()
    for (position, token) in expected.tokens.enumerated() {
      let collector = LogitCollector()
      try base.forward([BatchSegment(cache: cache, tokens: [token], adapter: adapter)]) {
        collector.receive($0)
      }
      #expect(collector[0, position].largestDifference(to: wanted[position]) < 1e-4)
    }
  }

  /// More rows than one chunk of products.
  @Test func longPromptsEqualShortPasses() throws {
    let base = try AdapterFixture.base()
    let adapter = try Adapter(path: AdapterFixture.path("all"), target: base.adapterTarget)
    let tokens = (0..<150).map { Int32($0 * 37 % 96) }
    let whole = try base.allLogits(tokens, adapter: adapter)
    let cache = base.makeCache()
    var done = 0
    for count in [70, 1, 79] {
      let collector = LogitCollector()
      try base.forward([
        BatchSegment(
          cache: cache, tokens: tokens[done..<done + count], logits: .all, adapter: adapter)
      ]) { collector.receive($0) }
      for position in done..<done + count {
        #expect(collector[0, position].largestDifference(to: whole[position]) < 1e-4)
      }
      done += count
    }
  }

  @Test func quantizedStaysNear() throws {
    let expected = try AdapterFixture.expected()
    let base = try AdapterFixture.base(.quantized)
    for name in AdapterFixture.names {
      let adapter = try Adapter(path: AdapterFixture.path(name), target: base.adapterTarget)
      let logits = try base.allLogits(expected.tokens, adapter: adapter)
      var error = 0.0
      var size = 0.0
      for (row, wanted) in zip(logits, try #require(expected.logits[name])) {
        for (value, truth) in zip(row, wanted) {
          error += Double((value - truth) * (value - truth))
          size += Double(truth * truth)
        }
      }
      #expect((error / size).squareRoot() < 0.1, "\(name)")
    }
  }

  @Test func anAdapterOfAnotherModelIsRefused() throws {
    let base = try AdapterFixture.base()
    let other = try AdapterFixture.base()
    let adapter = try Adapter(path: AdapterFixture.path("all"), target: other.adapterTarget)
    #expect(throws: ModelError.malformedBatch(reason: "an adapter of another model")) {
      try base.forward([BatchSegment(cache: base.makeCache(), tokens: [1], adapter: adapter)])
    }
  }

  @Test func identitiesDiffer() throws {
    let base = try AdapterFixture.base()
    let one = try LowRankAdapter(path: AdapterFixture.path("keys"), target: base.adapterTarget)
    #expect(Adapter(one).identity != Adapter(one).identity)
    #expect(one.modules == [.key])
    #expect(one.byteCount > 0)
  }

  /// An adapter for Gemma: halves rotate, so that nothing is permuted, and post-norms follow.
  @Test func anAdapterOfZerosChangesNothing() throws {
    let gemma = try Fixture.decoder(Fixture.path("tiny-gemma3.gguf"))
    let folder = try AdapterFolder()
    try folder.writeConfiguration()
    let tokens: [Int32] = [1, 2, 3, 4, 5]
    let plain = try gemma.allLogits(tokens, adapter: nil)
    for (value, isSame) in [(Float(0), true), (0.25, false)] {
      try folder.writeTensors(
        AdapterFolder.pair(
          "model.language_model.layers.6.self_attn.o_proj", inputs: 32, outputs: 32, value: value)
          + AdapterFolder.pair(
            "model.language_model.layers.6.mlp.down_proj", inputs: 64, outputs: 32, value: value))
      let adapter = try Adapter(path: folder.path, target: gemma.adapterTarget)
      let logits = try gemma.allLogits(tokens, adapter: adapter)
      let difference = zip(logits, plain).map { $0.largestDifference(to: $1) }.max() ?? 0
      #expect(isSame == (difference < 1e-6))
    }
  }
}
