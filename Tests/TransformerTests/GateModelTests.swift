import Kernels
import Testing
import Transformer

/// Gates in models: another gate on a model's experts, and a dense model's slices as experts.
@Suite struct GateModelTests {
  private func decoder(_ name: String, gate: GateDescription? = nil, slices: Int? = nil) throws
    -> Decoder
  {
    try Fixture.decoder(Fixture.path("\(name).gguf")) {
      $0.gate = gate
      $0.feedForwardSlices = slices
    }
  }

  private func logits(
    _ decoder: Decoder, _ tokens: [Int32], gating: GateRequest = GateRequest()
  ) throws -> [[Float]] {
    let collector = LogitCollector()
    try decoder.forward([
      BatchSegment(cache: decoder.makeCache(), tokens: tokens[...], logits: .all, gating: gating)
    ]) { collector.receive($0) }
    return tokens.indices.map { collector[0, $0] }
  }

  private func difference(_ one: [[Float]], _ other: [[Float]]) -> Float {
    zip(one, other).reduce(0) { max($0, $1.0.largestDifference(to: $1.1)) }
  }

  @Test(arguments: [2, 8]) func allSlicesAreTheDenseModel(slices: Int) throws {
    let tokens = Array(try Fixture.json("tiny-llama", as: Fixture.Decoding.self).tokens.prefix(24))
    let dense = try logits(decoder("tiny-llama"), tokens)
    let sliced = try decoder("tiny-llama", slices: slices)
    let all = try logits(sliced, tokens)
    let largest = dense.joined().reduce(0) { max($0, abs($1)) }
    #expect(difference(all, dense) < 1e-5 * largest)
    #expect(sliced.gateStatistics(segment: 0)?.meanActive == Double(slices))
    let fewer = try logits(sliced, tokens, gating: GateRequest(expertsK: 1))
    #expect(difference(fewer, dense) > 1e-3 * largest)
    #expect(sliced.gateStatistics(segment: 0)?.meanActive == 1)
  }

  @Test func anotherGateOnTheSameExperts() throws {
    let tokens = Array(
      try Fixture.json("tiny-mixtral", as: Fixture.Decoding.self).tokens.prefix(24))
    let own = try decoder("tiny-mixtral")
    let expected = try logits(own, tokens)
    let k = try #require(own.configuration.mixture).expertsUsed
    let largest = expected.joined().reduce(0) { max($0, abs($1)) }
    // Its own gate by another formula.
    let same = try logits(decoder("tiny-mixtral", gate: .topKLogits(k)), tokens)
    #expect(difference(same, expected) < 1e-5 * largest)
    let difficulty = try decoder("tiny-mixtral", gate: .harderTasks())
    #expect(try difference(logits(difficulty, tokens), expected) > 1e-3 * largest)
    let statistics = try #require(difficulty.gateStatistics(segment: 0))
    #expect(statistics.maximumActive > 1)
    #expect(statistics.choiceCount == tokens.count * own.configuration.layers.count)
  }

  /// One request's text doesn't depend on what else is in the batch, but on its seed.
  @Test func chanceIsTheRequestsOwn() throws {
    let tokens = Array(
      try Fixture.json("tiny-mixtral", as: Fixture.Decoding.self).tokens.prefix(24))
    let decoder = try decoder("tiny-mixtral", gate: .thor)
    let alone = try logits(decoder, tokens, gating: GateRequest(seed: 5))
    let collector = LogitCollector()
    try decoder.forward([
      BatchSegment(
        cache: decoder.makeCache(), tokens: tokens[3...], logits: .all,
        gating: GateRequest(seed: 9)),
      BatchSegment(
        cache: decoder.makeCache(), tokens: tokens[...], logits: .all,
        gating: GateRequest(seed: 5)),
    ]) { collector.receive($0) }
    let together = tokens.indices.map { collector[1, $0] }
    #expect(together == alone)
    #expect(try logits(decoder, tokens, gating: GateRequest(seed: 6)) != alone)
  }

  @Test func whatAModelHasNotCannotChange() throws {
    #expect(throws: ModelError.self) { try decoder("tiny-llama", gate: .thor) }
    #expect(throws: ModelError.self) { try decoder("tiny-llama", slices: 5) }
    #expect(throws: ModelError.self) { try decoder("tiny-llama", slices: 0) }
    #expect(throws: ModelError.self) { try decoder("tiny-gemma3", slices: 2) }
    #expect(throws: ModelError.self) { try decoder("tiny-mixtral", slices: 2) }
    #expect(throws: ModelError.self) {
      try decoder("tiny-mixtral", gate: .topKLogits(1000))
    }
  }
}
