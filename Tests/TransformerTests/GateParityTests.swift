import Foundation
import Kernels
import Testing
import Transformer

/// Every gate against what PyTorch made of its paper's formula (scripts/fixtures/gates.py).
@Suite struct GateParityTests {
  /// A row's key as the fixture has it.
  struct Key: Decodable {
    var seed: UInt64?
    var layer: Int?
    var position: Int?
    var expertsK: Int?
    var task: Int?
    var marked: Bool?

    private enum CodingKeys: String, CodingKey {
      case seed, layer, position, task, marked
      case expertsK = "experts_k"
    }

    var key: GateKey {
      GateKey(
        seed: seed ?? 0, layer: layer ?? 0, position: position ?? 0, expertsK: expertsK,
        task: task, isMarked: marked ?? false)
    }
  }

  struct Case: Decodable {
    var name: String
    var description: GateDescription
    var experts: Int
    var layer: Int?
    var matrix: [[Float]]?
    var bias: [Float]?
    var selectionBias: [Float]?
    var rows: [[Float]]
    var keys: [Key]
    /// The experts' own matrices, one below the other. // (experts * outputs, width)
    var linear: [[Float]]
    var attention: [[Float]]?
    var ids: [[Int32]]
    var weights: [[Float]]
    var output: [[Float]]

    private enum CodingKeys: String, CodingKey {
      case name, description, experts, layer, matrix, bias, rows, keys, linear, attention, ids
      case weights, output
      case selectionBias = "selection_bias"
    }

    func gate() throws -> Gate {
      try description.gate(
        expertCount: experts, width: rows[0].count, layer: layer ?? 0,
        matrix: matrix.map { try FloatBuffer($0) }, bias: bias, selectionBias: selectionBias)
    }

    /// The weighted sum of the experts' results for a row. // (outputs)
    func output(_ choice: GateChoice, row: [Float]) -> [Float] {
      let outputs = output[0].count
      var sum = [Float](repeating: 0, count: outputs)
      for (id, weight) in zip(choice.ids, choice.weights) {
        for index in 0..<outputs {
          let map = linear[Int(id) * outputs + index]
          sum[index] += weight * zip(map, row).reduce(0) { $0 + $1.0 * $1.1 }
        }
      }
      return sum
    }
  }

  private struct File: Decodable { var cases: [Case] }

  static func cases() throws -> [Case] { try Fixture.json("gates", as: File.self).cases }

  @Test func everyGateChoosesAsItsFormula() throws {
    let cases = try Self.cases()
    #expect(cases.count == 23)
    for golden in cases {
      let gate = try golden.gate()
      let choices =
        try gate.smoothing == nil
        ? gate.choices(golden.rows) { golden.keys[$0].key }
        : gate.smoothedChoices(golden.rows, attention: golden.attention)
      for (index, choice) in choices.enumerated() {
        #expect(choice.ids == golden.ids[index], "\(golden.name), row \(index)")
        #expect(
          choice.weights.largestDifference(to: golden.weights[index]) < 1e-5,
          "\(golden.name), row \(index)")
        #expect(choice.ids.count <= gate.maximumActive)
        let output = golden.output(choice, row: golden.rows[index])
        // Weights up to 16 make outputs of a hundred.
        let scale = max(1, golden.output[index].map(abs).max() ?? 1)
        #expect(
          output.largestDifference(to: golden.output[index]) < 1e-5 * scale,
          "\(golden.name), row \(index)")
      }
    }
  }

  /// The descriptions of `GateDescription+Published` are those that the formulas were tested with.
  @Test(arguments: [
    ("top-k softmax, raw", GateDescription.topKSoftmax(2, normalized: false)),
    ("top-k softmax, normalised", .topKSoftmax(4, normalized: true)),
    ("Mixtral by both formulas", .topKLogits(2)), ("gpt-oss, with bias", .topKLogits(4)),
    ("Harder Tasks at 0.4", .harderTasks()),
    ("Harder Tasks at 0.75", .harderTasks(threshold: 0.75)),
    ("DynMoLE", .dynMoLE), ("LLaVA-MoLE", .llavaMoLE),
    ("SMoE-Dropout at 3", .smoeDropout(2, seed: 7)), ("THOR", .thor), ("ProMoE", .proMoE(2)),
    ("DiT-MoE", .sharedAndRouted(2, sharedExperts: 2)),
    ("DeepSeek-V2", .deepSeekV2(4, groups: 4, keptGroups: 2, scale: 16)),
    ("DeepSeek-V3", .deepSeekV3(4, groups: 4, keptGroups: 2, scale: 2.5)),
    ("Polytropon's weights", .perTaskAverage),
    (
      "smoothed by cosine",
      .smoothed(2, by: GateSmoothing(mix: 0.7, similarity: .cosine(temperature: 0.25)))
    ),
    ("smoothed by attention", .smoothed(2, by: GateSmoothing(mix: 0.7, similarity: .attention))),
  ])
  func publishedDescriptionsAreTheTestedOnes(name: String, description: GateDescription) throws {
    let golden = try #require(try Self.cases().first { $0.name == name })
    #expect(golden.description == description)
  }
}
