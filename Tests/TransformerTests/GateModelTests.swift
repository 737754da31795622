import Foundation
import Kernels
import ModelFiles
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

  /// A llama whose feed-forward maps have biases, those of `names`.
  private func biased(_ names: [String], slices: Int?) throws -> Decoder {
    let copy = try CheckpointCopy(of: "llama")
    var header: [String: Any] = [:]
    var data = Data()
    var places: [String: String] = [:]
    for layer in 0..<2 {
      for name in names {
        let tensor = "model.layers.\(layer).mlp.\(name)_proj.bias"
        let count = name == "down" ? 32 : 48
        let start = data.count
        for index in 0..<count {
          let value = sin(Float(index + 7 * layer + name.count))
          withUnsafeBytes(of: value) { data += Data($0) }
        }
        header[tensor] = [
          "dtype": "F32", "shape": [count], "data_offsets": [start, data.count],
        ]
        places[tensor] = "biases.safetensors"
      }
    }
    let json = try JSONSerialization.data(withJSONObject: header)
    let length = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) }
    try copy.write(length + json + data, to: "biases.safetensors")
    let indexName = "model.safetensors.index.json"
    var index = try #require(
      JSONSerialization.jsonObject(with: copy.read(indexName)) as? [String: Any])
    let known = try #require(index["weight_map"] as? [String: String])
    index["weight_map"] = known.merging(places) { $1 }
    try copy.write(JSONSerialization.data(withJSONObject: index), to: indexName)
    let config = try String(decoding: copy.read("config.json"), as: UTF8.self)
      .replacing(#""mlp_bias": false"#, with: #""mlp_bias": true"#)
    try copy.write(Data(config.utf8), to: "config.json")
    var options = DecoderOptions(precision: .float)
    options.feedForwardSlices = slices
    return try Decoder(
      checkpoint: CheckpointFolder(path: copy.path), pool: #require(Fixture.pool),
      options: options)
  }

  @Test func slicesHaveTheirShareOfTheBiases() throws {
    let tokens: [Int32] = [1, 5, 9, 30, 2, 17]
    let none = try logits(biased([], slices: nil), tokens)
    let dense = try logits(biased(["gate", "up"], slices: nil), tokens)
    let sliced = try logits(biased(["gate", "up"], slices: 3), tokens)
    let largest = dense.joined().reduce(0) { max($0, abs($1)) }
    #expect(difference(none, dense) > 1e-2 * largest)
    #expect(difference(sliced, dense) < 1e-5 * largest)
    // Each slice would add it once more.
    _ = try biased(["down"], slices: nil)
    #expect(throws: ModelError.self) { try self.biased(["down"], slices: 3) }
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
