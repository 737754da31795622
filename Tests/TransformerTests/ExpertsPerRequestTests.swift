import Foundation
import Kernels
import Synchronization
import Testing
import Transformer

/// A mixture whose gate is fixed and random and that was trained with ever more experts
/// (SMoE-Dropout; scripts/fixtures/experts_k.py): a request may have any number of them, and more
/// are better.
@Suite struct ExpertsPerRequestTests {
  private struct Golden: Decodable {
    struct Loss: Decodable {
      var expertsK: Int
      /// Mean over the predicted tokens, by transformers.
      var nats: Double
    }

    var windows: [[Int32]]
    var losses: [Loss]
  }

  private let golden: Golden

  init() throws { golden = try Fixture.json("tiny-experts-k", as: Golden.self) }

  private func decoder(_ precision: WeightMatrix.Precision) throws -> Decoder {
    try Fixture.decoder(Fixture.path("tiny-experts-k.gguf"), precision: precision) {
      $0.maximumRows = 2048
    }
  }

  /// Mean negative log-probability of the windows' tokens, each window a request of its own.
  private func loss(_ decoder: Decoder, expertsK: Int?) throws -> Double {
    let windows = golden.windows
    let sum = Mutex(0.0)
    try decoder.forward(
      windows.map {
        BatchSegment(
          cache: decoder.makeCache(), tokens: $0[...], logits: .all,
          gating: GateRequest(expertsK: expertsK))
      }
    ) { row in
      let window = windows[row.segment]
      guard row.position + 1 < window.count else { return }
      let largest = row.logits.max() ?? 0
      let total = row.logits.reduce(0.0) { $0 + exp(Double($1 - largest)) }
      let loss = log(total) + Double(largest - row.logits[Int(window[row.position + 1])])
      sum.withLock { $0 += loss }
    }
    return sum.withLock { $0 } / Double(windows.reduce(0) { $0 + $1.count - 1 })
  }

  @Test func lossesEqualTheReference() throws {
    let decoder = try decoder(.float)
    for expected in golden.losses {
      let loss = try loss(decoder, expertsK: expected.expertsK)
      #expect(abs(loss - expected.nats) < 1e-4, "\(expected.expertsK) experts: \(loss)")
      #expect(
        decoder.gateStatistics(segment: 0)?.meanActive == Double(expected.expertsK))
    }
    // Without a word from the request, all.
    #expect(try abs(loss(decoder, expertsK: nil) - (golden.losses.last?.nats ?? 0)) < 1e-4)
  }

  @Test(arguments: [WeightMatrix.Precision.float, .quantized])
  func lossFallsWithEachMoreExperts(precision: WeightMatrix.Precision) throws {
    #expect(golden.losses.map(\.expertsK) == [1, 2, 4, 8])
    let decoder = try decoder(precision)
    let losses = try golden.losses.map { try loss(decoder, expertsK: $0.expertsK) }
    for (fewer, more) in zip(losses, losses.dropFirst()) { #expect(more < fewer, "\(losses)") }
  }
}
