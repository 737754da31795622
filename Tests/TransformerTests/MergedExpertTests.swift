import Foundation
import Kernels
import Synchronization
import Testing
import Transformer

/// Experts that a request's gate merges before the pass: averaged parameters (Polytropon, MHR) and
/// fused results (MoDE).
@Suite struct MergedExpertTests {
  private struct Golden: Decodable {
    var scale: Float
    var down: [[[Float]]]  // (experts, rank, inputs)
    var up: [[[Float]]]  // (experts, rank, outputs)
    var rows: [[Float]]
    var tasks: [[[Float]]]  // (tasks, splits, experts)
    var averaged: [[[Float]]]  // (tasks, rows, outputs)
    var split: [[[Float]]]
    var uniform: [[Float]]
    var fused: [[[Float]]]

    var experts: [LowRankPair] {
      get throws {
        try zip(down, up).map {
          try LowRankPair(down: FloatBuffer($0), up: FloatBuffer($1), scale: scale)
        }
      }
    }

    /// A gate whose tasks are this split's rows.
    func gate(split: Int) throws -> Gate {
      try GateDescription.perTaskAverage.gate(
        expertCount: down.count, width: 1, matrix: FloatBuffer(tasks.map { $0[split] }))
    }
  }

  private struct File: Decodable {
    var lowRank: Golden
    private enum CodingKeys: String, CodingKey { case lowRank = "low_rank" }
  }

  private let golden: Golden

  init() throws { golden = try Fixture.json("gates", as: File.self).lowRank }

  private func outputs(_ pair: LowRankPair) throws -> [[Float]] {
    golden.rows.map { row in
      var output = [Float](repeating: 0, count: pair.outputs)
      pair.apply(row, to: &output)
      return output
    }
  }

  private func expectEqual(_ pair: LowRankPair, _ expected: [[Float]]) throws {
    for (output, row) in zip(try outputs(pair), expected) {
      let scale = max(1, row.map(abs).max() ?? 1)
      #expect(output.largestDifference(to: row) < 1e-5 * scale)
    }
  }

  @Test func parametersAreAveragedBeforeTheProduct() throws {
    let gate = try golden.gate(split: 0)
    for task in golden.tasks.indices {
      let weights = try gate.weights(task: task)
      let averaged = try LowRankPair.averaged(golden.experts, weights: [weights])
      try expectEqual(averaged, golden.averaged[task])
      #expect(averaged.rank == golden.down[0].count)
      // Which is not the average of results.
      let fused = try LowRankPair.fused(golden.experts, weights: weights)
      try expectEqual(fused, golden.fused[task])
      #expect(try outputs(averaged)[0].largestDifference(to: outputs(fused)[0]) > 0.01)
    }
  }

  @Test func eachSplitHasItsOwnWeights() throws {
    for task in golden.tasks.indices {
      let weights = try [0, 1].map { try golden.gate(split: $0).weights(task: task) }
      try expectEqual(
        LowRankPair.averaged(golden.experts, weights: weights), golden.split[task])
    }
  }

  @Test func withoutATaskTheMixtureIsUniform() throws {
    let weights = try golden.gate(split: 0).weights(task: nil)
    try expectEqual(LowRankPair.averaged(golden.experts, weights: [weights]), golden.uniform)
  }

  /// What a cache of a test keeps.
  private final class Merged<Value: Sendable>: Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
  }

  @Test func aHitMergesNothing() throws {
    let cache = try MergedExpertCache<Int, Merged<LowRankPair>>(capacity: 2)
    let gate = try golden.gate(split: 0)
    let experts = try golden.experts
    func merged(_ task: Int) throws -> Merged<LowRankPair> {
      try cache.value(for: task) { () throws(ModelError) in
        Merged(try LowRankPair.averaged(experts, weights: [gate.weights(task: task)]))
      }
    }
    let first = try merged(0)
    #expect(cache.buildCount == 1)
    for _ in 0..<5 { #expect(try merged(0) === first) }
    #expect(cache.buildCount == 1)
    _ = try merged(1)
    _ = try merged(0)
    _ = try merged(2)  // Task 1 goes: it was used least recently.
    #expect(cache.count == 2)
    #expect(cache.buildCount == 3)
    _ = try merged(0)
    #expect(cache.buildCount == 3)
    _ = try merged(1)
    #expect(cache.buildCount == 4)
    #expect(throws: ModelError.self) { try merged(99) }
    #expect(cache.buildCount == 4)
    cache.removeAll()
    _ = try merged(0)
    #expect(cache.buildCount == 5)
  }

  @Test func manyThreadsBuildOnce() throws {
    let cache = try MergedExpertCache<Int, Merged<Int>>(capacity: 4)
    let results = Mutex<[Int]>([])
    DispatchQueue.concurrentPerform(iterations: 32) { index in
      let value = try? cache.value(for: index % 4) { () throws(ModelError) in Merged(index) }
      results.withLock { $0.append(value?.value ?? -1) }
    }
    #expect(cache.buildCount == 4)
    #expect(Set(results.withLock { $0 }).count == 4)
  }

  /// Whoever asks for something else meanwhile does not wait.
  @Test func buildingHoldsNothingElseUp() throws {
    let cache = try MergedExpertCache<Int, Merged<Int>>(capacity: 4)
    let outer = try cache.value(for: 0) { () throws(ModelError) in
      let inner = try cache.value(for: 1) { () throws(ModelError) in Merged(1) }
      #expect(cache.known(0) == nil && cache.known(1) === inner)
      return Merged(cache.count)
    }
    #expect(outer.value == 1)
    #expect(cache.known(0) === outer && cache.buildCount == 2)
    // After a build that failed the next tries.
    #expect(throws: ModelError.self) {
      try cache.value(for: 2) { () throws(ModelError) in throw .outOfMemory(bytes: 1) }
    }
    #expect(try cache.value(for: 2) { () throws(ModelError) in Merged(2) }.value == 2)
  }

  /// What a request still runs with is not built a second time beside it.
  @Test func aLiveOneIsTakenAgain() throws {
    let cache = try MergedExpertCache<Int, Merged<Int>>(capacity: 1)
    func value(_ key: Int) throws -> Merged<Int> {
      try cache.value(for: key) { () throws(ModelError) in Merged(key) }
    }
    let held = try value(0)
    _ = try value(1)
    #expect(cache.count == 1)
    #expect(try value(0) === held)
    #expect(cache.buildCount == 2 && cache.count == 1)
    // Nobody held the other.
    _ = try value(1)
    #expect(cache.buildCount == 3)
  }

  @Test func ranksMayDifferWhenFused() throws {
    let experts = [
      try LowRankPair(
        down: FloatBuffer(noise(2, width: 5, seed: 1)),
        up: FloatBuffer(noise(2, width: 3, seed: 2)),
        scale: 2),
      try LowRankPair(
        down: FloatBuffer(noise(4, width: 5, seed: 3)),
        up: FloatBuffer(noise(4, width: 3, seed: 4)),
        scale: 0.5),
    ]
    let fused = try LowRankPair.fused(experts, weights: [0.3, 0.7])
    #expect(fused.rank == 6)
    let x = noise(1, width: 5, seed: 5)[0]
    var expected: [Float] = [0, 0, 0]
    for (expert, weight) in zip(experts, [Float(0.3), 0.7]) {
      var output: [Float] = [0, 0, 0]
      expert.apply(x, to: &output)
      for index in 0..<3 { expected[index] += weight * output[index] }
    }
    var output: [Float] = [0, 0, 0]
    fused.apply(x, to: &output)
    #expect(output.largestDifference(to: expected) < 1e-5)
    #expect(throws: ModelError.self) { try LowRankPair.averaged(experts, weights: [[0.3, 0.7]]) }
  }

  @Test func whatCannotBeMerged() throws {
    let experts = try golden.experts
    for weights: [[Float]] in [
      [], [[1, 0]], [[1, 0, .nan]], .init(repeating: [1, 0, 0], count: 4),
    ] {
      #expect(throws: ModelError.self) { try LowRankPair.averaged(experts, weights: weights) }
    }
    #expect(throws: ModelError.self) { try LowRankPair.averaged([], weights: [[]]) }
    #expect(throws: ModelError.self) { try LowRankPair.fused([], weights: []) }
    #expect(throws: ModelError.self) { try LowRankPair.fused(experts, weights: [1]) }
    #expect(throws: ModelError.self) { try MergedExpertCache<Int, Merged<Int>>(capacity: 0) }
    let tokens = try GateDescription.thor.gate(expertCount: 3, width: 1)
    #expect(throws: ModelError.self) { try tokens.weights(task: nil) }
  }
}
