import Foundation
import Kernels
import Testing
import Transformer

/// The shipped models against Hugging Face transformers in float32 on the dequantised weights.
@Suite(.serialized) struct RealModelTests {
  struct Model: Sendable, CustomTestStringConvertible {
    let name: String
    let file: String
    var testDescription: String { name }
  }

  static let models = [
    Model(name: "smollm2-135m", file: "smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"),
    Model(name: "gemma3-270m", file: "gemma3-270m/gemma-3-270m-q4_k_m.gguf"),
  ]

  /// How far the logits are from the truth.
  private struct Distance {
    /// Mean KL divergence in nats, over the truth's 12 most probable tokens and all others as one.
    var meanKL = 0.0
    var worstLogprob = 0.0
    var agreement = 0.0
    var meanLossDifference = 0.0

    init(_ rows: [[Float]], _ golden: Fixture.Decoding) throws {
      let top = try #require(golden.top)
      let topLogprobs = try #require(golden.topLogprobs)
      let logprobs = try #require(golden.logprobs)
      for (index, row) in rows.enumerated() {
        let logSum = row.withUnsafeBufferPointer { row in
          row.baseAddress.map { VectorOperations.logSumExp($0, count: row.count) } ?? .nan
        }
        var restTruth = 1.0
        var restMine = 1.0
        for (token, logprob) in zip(top[index], topLogprobs[index]) {
          let mine = Double(row[Int(token)]) - logSum
          meanKL += exp(logprob) * (logprob - mine)
          restTruth -= exp(logprob)
          restMine -= exp(mine)
        }
        if restTruth > 1e-9, restMine > 1e-9 { meanKL += restTruth * log(restTruth / restMine) }
        if row.argmax == top[index].first { agreement += 1 }
        if index + 1 < rows.count, let truth = logprobs[index + 1] {
          let mine = Double(row[Int(golden.tokens[index + 1])]) - logSum
          worstLogprob = max(worstLogprob, abs(mine - truth))
          meanLossDifference += truth - mine
        }
      }
      let count = Double(rows.count)
      meanKL /= count
      agreement /= count
      meanLossDifference /= count
    }
  }

  @Test(arguments: models) func floatEqualsTheReference(model: Model) throws {
    let golden = try Fixture.json(model.name, as: Fixture.Decoding.self)
    let decoder = try Fixture.decoder(Fixture.model(model.file)) {
      $0.contextLength = 1024
    }
    let rows = try decoder.allLogits(golden.tokens, chunk: 512)
    let distance = try Distance(rows, golden)
    #expect(distance.meanKL < 1e-8)
    #expect(distance.worstLogprob < 1e-3)
    #expect(distance.agreement == 1)
    for (prompt, expected) in zip(golden.prompts, golden.greedy) {
      #expect(try decoder.greedy(prompt, count: expected.count) == expected)
    }
  }

  @Test(arguments: models) func quantizedIsAsNearAsLlamaCpp(model: Model) throws {
    let golden = try Fixture.json(model.name, as: Fixture.Decoding.self)
    let decoder = try Fixture.decoder(Fixture.model(model.file), precision: .quantized) {
      $0.contextLength = 1024
    }
    let rows = try decoder.allLogits(golden.tokens, chunk: 512)
    let distance = try Distance(rows, golden)
    // llama.cpp's mean KL over 2,000 tokens is 0.0029 and 0.0045, its agreement 96.5 %; these are
    // some 120 tokens, hence the margins.
    #expect(distance.meanKL < 0.0045)
    #expect(distance.agreement > 0.93)
    #expect(abs(distance.meanLossDifference) < 0.02)
  }
}
