import Foundation
import Kernels
import Testing
import Transformer

/// The edges of each selection: what a fixture of random numbers would not meet.
@Suite struct GateSelectionTests {
  /// The worked example: entropy 0.821.
  private static let example: [Float] = [0.45, 0.25, 0.10, 0.08, 0.06, 0.06]

  private func choose(_ gate: Gate, _ probabilities: [Float]) throws -> GateChoice {
    try #require(try gate.choices([probabilities.logarithms]).first)
  }

  /// Rows of numbers in no order, some of them equal.
  private func scrambled(_ count: Int, width: Int, period: Int) -> [[Float]] {
    (0..<count).map { row in
      (0..<width).map { column in
        let step: Int = (column * 17 + row * 29) % period
        return Float(step) / 10
      }
    }
  }

  // MARK: Entropy switch and top-p

  @Test func entropySwitchLeavesTheCrossingExpertOut() throws {
    let gate = try Gate.ofLogits(6, selection: .entropySwitch(.init()))
    let choice = try choose(gate, Self.example)
    #expect(choice.ids == [0, 1])
    #expect(choice.weights.largestDifference(to: [0.45, 0.25]) < 1e-6)
  }

  /// Just above and just below the example's entropy of .821.
  @Test(arguments: [(Float(0.8205), 6), (0.8215, 2)])
  func theExamplesEntropy(threshold: Float, kept: Int) throws {
    let gate = try Gate.ofLogits(
      6, selection: .entropySwitch(.init(entropyThreshold: threshold)))
    #expect(try choose(gate, Self.example).ids.count == kept)
  }

  @Test func topPKeepsTheCrossingExpert() throws {
    let gate = try Gate.ofLogits(6, selection: .topP(threshold: 0.75, includesCrossing: true))
    let choice = try choose(gate, Self.example)
    #expect(choice.ids == [0, 1, 2])
    #expect(choice.weights.largestDifference(to: [0.45, 0.25, 0.10]) < 1e-6)
  }

  @Test func uniformRowsGetAllAndPeakedOnesTwo() throws {
    let gate = try Gate.ofLogits(6, selection: .entropySwitch(.init()))
    let uniform = try choose(gate, Array(repeating: 1 / 6, count: 6))
    #expect(uniform.ids == [0, 1, 2, 3, 4, 5])
    #expect(uniform.weights.largestDifference(to: Array(repeating: 1 / 6, count: 6)) < 1e-6)
    let peaked = try choose(gate, [0.01, 0.95, 0.01, 0.01, 0.015, 0.005])
    #expect(peaked.ids == [1, 4])
  }

  @Test(arguments: [true, false], [Float(1), 1.5, 100])
  func aThresholdOfOneKeepsAll(includesCrossing: Bool, threshold: Float) throws {
    let gate = try Gate.ofLogits(
      40, selection: .topP(threshold: threshold, includesCrossing: includesCrossing))
    let rows = scrambled(50, width: 40, period: 31)
    for choice in try gate.choices(rows) {
      #expect(choice.ids.sorted() == Array(0..<40))
    }
  }

  @Test func aThresholdOfZeroKeepsTheBest() throws {
    let including = try Gate.ofLogits(6, selection: .topP(threshold: 0, includesCrossing: true))
    #expect(try choose(including, Self.example).ids == [0])
    let excluding = try Gate.ofLogits(
      6, selection: .topP(threshold: 0, includesCrossing: false, atLeast: 3))
    #expect(try choose(excluding, Self.example).ids == [0, 1, 2])
  }

  /// Many equal experts: more than are sorted at first.
  @Test(arguments: [Float(0.105), 0.305, 0.505, 0.905])
  func topPOverManyExperts(threshold: Float) throws {
    let gate = try Gate.ofLogits(
      100, selection: .topP(threshold: threshold, includesCrossing: true))
    let choice = try choose(gate, Array(repeating: 0.01, count: 100))
    #expect(choice.ids == Array(0..<Int32((threshold * 100).rounded(.up))))
  }

  @Test func shannonEntropyAtIndexOne() throws {
    // Two equal experts of four: log 2 / log 4 = 0.5.
    for (threshold, kept) in [(Float(0.499), 4), (0.501, 2)] {
      let gate = try Gate.ofLogits(
        4,
        selection: .entropySwitch(
          .init(entropyThreshold: threshold, index: 1, epsilon: 0, topP: 0.4, atLeast: 2)))
      let choice = try #require(try gate.choices([[0, 0, -200, -200]]).first)
      #expect(choice.ids.count == kept)
    }
  }

  // MARK: Ties and rows that can't be compared

  @Test(arguments: [1, 2, 5, 8]) func tiesGoToTheLowerId(k: Int) throws {
    let gate = try Gate.ofLogits(8, selection: .topK(k))
    let equal = try gate.choices([Array(repeating: 0.3, count: 8)])
    #expect(equal.first?.ids == Array(0..<Int32(k)))
    let pairs = try gate.choices([[1, 2, 1, 2, 3, 1, 2, 3]])
    #expect(pairs.first?.ids == Array([4, 7, 1, 3, 6, 0, 2, 5].prefix(k)))
  }

  @Test(arguments: [Float.nan, .infinity, -.nan], 0..<4)
  func aRowWithoutOrderGetsTheFirstExperts(value: Float, place: Int) throws {
    var row: [Float] = [0.1, 0.9, 0.4, 0.2]
    row[place] = value
    for probability in Gate.Probability.allCases {
      for weighting in Gate.Weighting.allCases {
        let gate = try Gate.ofLogits(
          4, probability: probability, selection: .topK(2), weighting: weighting)
        let choice = try #require(try gate.choices([row, [0, 0, 1, 2]]).first)
        #expect(choice.ids == [0, 1])
        #expect(choice.weights.allSatisfy { $0.isFinite })
        #expect(try gate.choices([row, [0, 0, 1, 2]])[1].ids == [3, 2])
      }
    }
    let all = try Gate.ofLogits(4, selection: .entropySwitch(.init()))
    #expect(try all.choices([row]).first?.ids == [0, 1, 2, 3])
  }

  @Test func negativeInfinityIsNeverPreferred() throws {
    // A task's row comes to the gate as it is; a product with infinity would be a NaN.
    let rows = try FloatBuffer([
      [-.infinity, -5, -.infinity, -6], [Float](repeating: -.infinity, count: 4),
    ])
    let gate = try Gate(
      expertCount: 4, width: 1, scores: .perTask(rows: rows), probability: .none,
      selection: .topK(2), weighting: .softmaxOverKept)
    let choices = try gate.choices([[0], [0]]) { GateKey(task: $0) }
    #expect(choices[0].ids == [1, 3])
    #expect(choices[0].weights.allSatisfy { $0.isFinite })
    #expect(choices[1] == GateChoice(ids: [0, 1], weights: [0.5, 0.5]))
  }

  @Test func sigmoidsThatAllVanishGiveNoNaN() throws {
    let gate = try Gate.ofLogits(
      4, probability: .sigmoid, selection: .topK(2), weighting: .sumToOne)
    let choice = try gate.choices([[-500, -500, -500, -500]])[0]
    #expect(choice.ids == [0, 1])
    #expect(choice.weights.allSatisfy { $0.isFinite })
  }

  @Test func oneExpert() throws {
    let selections: [Gate.Selection] = [
      .topK(1), .topP(threshold: 0.4, includesCrossing: true), .all,
      .topP(threshold: 0.4, includesCrossing: false), .entropySwitch(.init()),
      .groupLimitedTopK(k: 1, groups: 1, keptGroups: 1, groupScore: .max),
    ]
    for selection in selections {
      for weighting in Gate.Weighting.allCases {
        let gate = try Gate.ofLogits(1, selection: selection, weighting: weighting)
        let choices = try gate.choices([[3], [-3], [.nan]])
        #expect(choices == Array(repeating: GateChoice(ids: [0], weights: [1]), count: 3))
      }
    }
  }

  // MARK: A request's own k

  @Test func expertsKTakesTheNearestPossible() throws {
    let gate = try Gate.ofLogits(8, selection: .topK(2), maximumK: 4)
    let row: [Float] = [0, 1, 2, 3, 4, 5, 6, 7]
    let cases: [(asked: Int?, given: Int)] = [
      (nil, 2), (1, 1), (3, 3), (4, 4), (5, 4), (0, 1), (-9, 1), (Int.max, 4),
    ]
    for (asked, given) in cases {
      let choice = try gate.choices([row]) { _ in GateKey(expertsK: asked) }[0]
      #expect(choice.ids == Array([7, 6, 5, 4].prefix(given)))
    }
    #expect(gate.maximumActive == 4)
  }

  @Test func expertsKLimitsTheOthers() throws {
    let selections: [Gate.Selection] = [
      .topP(threshold: 1, includesCrossing: true), .all, .entropySwitch(.init()),
      .topP(threshold: 0.9, includesCrossing: false),
    ]
    for selection in selections {
      let gate = try Gate.ofLogits(8, selection: selection)
      #expect(gate.maximumActive == 8)
      let row = [Float](repeating: 0, count: 8)
      #expect(try gate.choices([row]) { _ in GateKey(expertsK: 1) }[0].ids == [0])
      #expect(try gate.choices([row]) { _ in GateKey(expertsK: 3) }[0].ids == [0, 1, 2])
    }
  }

  // MARK: Experts beside the routed

  @Test func sharedExpertsFollowTheRouted() throws {
    let gate = try Gate.ofLogits(4, selection: .topK(1), scale: 3, sharedExperts: 2)
    #expect(gate.totalExperts == 6)
    #expect(gate.maximumActive == 3)
    let choice = try choose(gate, [0.1, 0.6, 0.2, 0.1])
    #expect(choice.ids == [1, 4, 5])
    #expect(choice.weights.largestDifference(to: [1.8, 1, 1]) < 1e-6)
  }

  @Test func markedRowsGoToTheBypassExpert() throws {
    let gate = try Gate.ofLogits(
      4, selection: .topK(2), scale: 3, sharedExperts: 1, hasBypassExpert: true)
    #expect(gate.bypassExpert == 5)
    let rows = [[Float]](repeating: [0, 1, 2, 3], count: 3)
    let choices = try gate.choices(rows) { GateKey(isMarked: $0 == 1) }
    #expect(choices[0].ids == [3, 2, 4])
    #expect(choices[1] == GateChoice(ids: [5, 4], weights: [1, 1]))
    #expect(choices[2] == choices[0])
    let without = try Gate.ofLogits(4, selection: .topK(2))
    #expect(try without.choices(rows) { _ in GateKey(isMarked: true) }[0].ids == [3, 2])
  }

  // MARK: Sharing the work

  @Test func anyCutOfRowsAndExpertsGivesTheSame() throws {
    let rows = scrambled(37, width: 24, period: 97)
    let gate = try Gate(
      expertCount: 41, width: 24, scores: .fixedRandom(seed: 5), selection: .topK(3))
    let whole = try gate.choices(rows)
    let input = try FloatBuffer(rows)
    let choices = try GateChoices(maxRows: 37, expertCount: 41)
    let key = { (row: Int) in GateKey(position: row) }
    for cut in [0..<1, 1..<18, 18..<30, 30..<37] {
      gate.choose(input.pointer, stride: 24, rows: cut, keys: key, into: choices)
    }
    #expect((0..<37).map { choices.choice(row: $0) } == whole)
    let halves = try GateChoices(maxRows: 37, expertCount: 41)
    for experts in [0..<16, 16..<41] {
      gate.score(
        input.pointer, stride: 24, rows: 0..<37, experts: experts, keys: key, into: halves)
    }
    gate.select(rows: 0..<37, keys: key, into: halves)
    #expect((0..<37).map { halves.choice(row: $0) } == whole)
  }
}
