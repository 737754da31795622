import Foundation
import Kernels
import Testing
import Transformer

/// Gates that chance decides, and cosine gates: what they must not depend on.
@Suite struct GateRandomTests {
  private func thor(experts: Int = 8, k: Int = 1) throws -> Gate {
    var description = GateDescription.thor
    description.selection = .topK(k)
    return try description.gate(expertCount: experts, width: 4)
  }

  @Test func theSameSeedGivesTheSameWhateverTheBatch() throws {
    let gate = try thor()
    let positions = Array(0..<200)
    let alone = try positions.map { position in
      try gate.choices([[0, 0, 0, 0]]) { _ in GateKey(seed: 9, layer: 2, position: position) }[0]
    }
    // Beside other requests, in another order, and with other numbers in the rows.
    let rows = noise(400, width: 4, seed: 3)
    let together = try gate.choices(rows) { row in
      row.isMultiple(of: 2)
        ? GateKey(seed: 9, layer: 2, position: 199 - row / 2) : GateKey(seed: 5, position: row)
    }
    for position in positions { #expect(together[2 * (199 - position)] == alone[position]) }
    #expect(alone.allSatisfy { $0.weights == [1] })
  }

  @Test func seedLayerAndPositionEachMatter() throws {
    let gate = try thor()
    func ids(_ key: (Int) -> GateKey) throws -> [Int32] {
      try gate.choices(noise(64, width: 4, seed: 1), keys: key).map { $0.ids[0] }
    }
    let base = try ids { GateKey(seed: 1, layer: 1, position: $0) }
    #expect(try ids { GateKey(seed: 2, layer: 1, position: $0) } != base)
    #expect(try ids { GateKey(seed: 1, layer: 2, position: $0) } != base)
    #expect(try ids { GateKey(seed: 1, layer: 1, position: $0 + 1) } != base)
    #expect(try ids { GateKey(seed: .max, layer: .max, position: .min + $0) }.count == 64)
  }

  @Test func everyExpertIsAsLikely() throws {
    let gate = try thor()
    var counts = [Int](repeating: 0, count: 8)
    let choices = try gate.choices([[Float]](repeating: [0, 0, 0, 0], count: 8000)) {
      GateKey(seed: 77, layer: $0 % 16, position: $0)
    }
    for choice in choices { counts[Int(choice.ids[0])] += 1 }
    // 1000 each, with a standard deviation of 30.
    #expect(counts.allSatisfy { abs($0 - 1000) < 150 })
  }

  @Test func topKOfChanceIsKDifferentExperts() throws {
    let gate = try thor(experts: 5, k: 3)
    for choice in try gate.choices(noise(100, width: 4, seed: 2)) {
      #expect(Set(choice.ids).count == 3)
    }
  }

  /// That the numbers themselves are right, the fixture of SMoE-Dropout shows.
  @Test func aFixedRandomGateDependsOnItsSeedAndLayer() throws {
    let rows = noise(40, width: 16, seed: 4)
    func choices(seed: UInt64, layer: Int) throws -> [GateChoice] {
      try GateDescription.smoeDropout(2, seed: seed)
        .gate(expertCount: 8, width: 16, layer: layer).choices(rows)
    }
    let base = try choices(seed: 1, layer: 0)
    #expect(try choices(seed: 1, layer: 0) == base)
    #expect(try choices(seed: 1, layer: 1) != base)
    #expect(try choices(seed: 2, layer: 0) != base)
  }

  @Test(arguments: 1...8) func smoeDropoutTakesAnyK(k: Int) throws {
    let gate = try GateDescription.smoeDropout(2, seed: 1).gate(expertCount: 8, width: 16)
    #expect(gate.maximumActive == 8)
    try gate.validate(expertsK: k, task: nil)
    let all = try gate.choices(noise(20, width: 16, seed: 5)) { _ in GateKey(expertsK: 8) }
    let some = try gate.choices(noise(20, width: 16, seed: 5)) { _ in GateKey(expertsK: k) }
    for (choice, whole) in zip(some, all) {
      #expect(choice.ids == Array(whole.ids.prefix(k)))
      #expect(abs(choice.weights.reduce(0, +) - 1) < 1e-5)
      // A softmax over the kept: the same proportions among them.
      let share = whole.weights.prefix(k).reduce(0, +)
      #expect(
        choice.weights.largestDifference(to: whole.weights.prefix(k).map { $0 / share }) < 1e-5)
    }
  }

  @Test(arguments: [Float(3), 0.01, 1e10]) func aRowsLengthPlaysNoPart(factor: Float) throws {
    let gate = try GateDescription.proMoE(2).gate(
      expertCount: 6, width: 16, matrix: FloatBuffer(noise(6, width: 16, seed: 8)))
    let rows = noise(50, width: 16, seed: 9)
    let choices = try gate.choices(rows)
    let scaled = try gate.choices(rows.map { $0.map { $0 * factor } })
    for (one, other) in zip(choices, scaled) {
      #expect(one.ids == other.ids)
      #expect(one.weights.largestDifference(to: other.weights) < 1e-6)
    }
    // And a row of zeros, or a prototype of zeros, is no crash.
    let zero = [Float](repeating: 0, count: 16)
    #expect(try gate.choices([zero])[0].ids == [0, 1])
    let flat = try GateDescription.proMoE(1).gate(
      expertCount: 2, width: 16, matrix: FloatBuffer([zero, rows[0]]))
    #expect(try flat.choices([rows[0]])[0].ids == [1])
  }
}
