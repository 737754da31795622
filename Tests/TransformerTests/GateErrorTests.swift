import Foundation
import Kernels
import Testing
import Transformer

/// What a file, a configuration or a request can get wrong about a gate.
@Suite struct GateErrorTests {
  private func expectInvalid(
    _ key: String, _ body: () throws -> Gate, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    do {
      _ = try body()
      Issue.record("\(key) was accepted", sourceLocation: sourceLocation)
    } catch ModelError.invalidValue(let actual, _, _) {
      #expect(actual == key, sourceLocation: sourceLocation)
    } catch {
      Issue.record("\(key): \(error)", sourceLocation: sourceLocation)
    }
  }

  @Test func selectionsThatNoRowCanHave() {
    for k in [0, -1, 9, Int.max, Int.min] {
      expectInvalid("gate.selection.k") { try .ofLogits(8, selection: .topK(k)) }
    }
    for groups in [0, -2, 3, 9] {
      expectInvalid("gate.selection.groups") {
        try .ofLogits(
          8,
          selection: .groupLimitedTopK(k: 1, groups: groups, keptGroups: 1, groupScore: .max))
      }
    }
    expectInvalid("gate.selection.groups") {
      try .ofLogits(
        8, selection: .groupLimitedTopK(k: 1, groups: 8, keptGroups: 1, groupScore: .topTwoSum))
    }
    for kept in [0, 5, Int.max] {
      expectInvalid("gate.selection.kept_groups") {
        try .ofLogits(
          8, selection: .groupLimitedTopK(k: 1, groups: 4, keptGroups: kept, groupScore: .max))
      }
    }
    expectInvalid("gate.selection.k") {
      try .ofLogits(
        8, selection: .groupLimitedTopK(k: 3, groups: 4, keptGroups: 1, groupScore: .max))
    }
    for threshold in [-0.1, Float.nan, .infinity] {
      expectInvalid("gate.selection.threshold") {
        try .ofLogits(8, selection: .topP(threshold: threshold, includesCrossing: true))
      }
    }
    for index in [0, -1, Float.nan, .infinity] {
      expectInvalid("gate.selection.index") {
        try .ofLogits(8, selection: .entropySwitch(.init(index: index)))
      }
    }
  }

  @Test func partsThatDoNotGoTogether() {
    for probability in [Gate.Probability.none, .sigmoid] {
      expectInvalid("gate.probability") {
        try .ofLogits(
          8, probability: probability, selection: .topP(threshold: 0.4, includesCrossing: true))
      }
      expectInvalid("gate.probability") {
        try .ofLogits(8, probability: probability, selection: .entropySwitch(.init()))
      }
    }
    expectInvalid("gate.selection_bias") {
      try .ofLogits(
        2, selection: .topP(threshold: 0.4, includesCrossing: true), selectionBias: [0, 0])
    }
    expectInvalid("gate.scale") { try .ofLogits(2, selection: .topK(1), scale: .nan) }
    expectInvalid("gate.experts_k") { try .ofLogits(8, selection: .topK(4), maximumK: 3) }
    expectInvalid("gate.experts_k") { try .ofLogits(8, selection: .topK(4), maximumK: 9) }
    expectInvalid("gate.shared_experts") {
      try .ofLogits(8, selection: .topK(4), sharedExperts: -1)
    }
    for mix in [-0.1, 1.1, Float.nan] {
      expectInvalid("gate.smoothing.mix") {
        try GateDescription.smoothed(1, by: .init(mix: mix, similarity: .attention))
          .gate(expertCount: 2, width: 2, matrix: .identity(2))
      }
    }
    expectInvalid("gate.smoothing.temperature") {
      try GateDescription.smoothed(1, by: .init(mix: 1, similarity: .cosine(temperature: 0)))
        .gate(expertCount: 2, width: 2, matrix: .identity(2))
    }
  }

  @Test func sizesThatAreNone() {
    for count in [0, -1, Int.max] {
      expectInvalid("gate.expert_count") {
        try GateDescription.thor.gate(expertCount: count, width: 4)
      }
      expectInvalid("gate.width") {
        try GateDescription.smoeDropout(1, seed: 0).gate(expertCount: 4, width: count)
      }
    }
  }

  @Test func tensorsOfAnotherShape() throws {
    let matrix = try FloatBuffer(rows: 3, width: 5)
    for description in [GateDescription.llavaMoLE, .proMoE(1), .perTaskAverage] {
      #expect(throws: ModelError.self) {
        try description.gate(expertCount: 4, width: 5, matrix: matrix)
      }
      #expect(throws: ModelError.missingTensor("gate (\(description.scores.rawValue))")) {
        try description.gate(expertCount: 3, width: 5)
      }
    }
    #expect(throws: ModelError.wrongShape(tensor: "gate.bias", shape: [2], expected: [3])) {
      try GateDescription.llavaMoLE.gate(
        expertCount: 3, width: 5, matrix: matrix, bias: [0, 0])
    }
    #expect(throws: ModelError.self) {
      try GateDescription.llavaMoLE.gate(
        expertCount: 3, width: 5, matrix: matrix, bias: [0, .nan, 0])
    }
    #expect(
      throws: ModelError.wrongShape(tensor: "gate.selection_bias", shape: [4], expected: [3])
    ) {
      try GateDescription.llavaMoLE.gate(
        expertCount: 3, width: 5, matrix: matrix, selectionBias: [0, 0, 0, 0])
    }
  }

  @Test func requestsThatTheGateCannotServe() throws {
    let gate = try GateDescription.smoeDropout(2, seed: 1).gate(expertCount: 8, width: 4)
    for k in [0, 9, -1] {
      #expect(
        throws: ModelError.invalidValue(key: "experts_k", value: "\(k)", expected: "1 to 8")
      ) { try gate.validate(expertsK: k, task: nil) }
    }
    #expect(throws: ModelError.self) { try gate.validate(expertsK: nil, task: 0) }
    let tasks = try GateDescription.perTaskAverage.gate(
      expertCount: 3, width: 4, matrix: FloatBuffer(rows: 2, width: 3))
    try tasks.validate(expertsK: nil, task: 1)
    for task in [2, -1, Int.max, Int.min] {
      #expect(throws: ModelError.self) { try tasks.validate(expertsK: nil, task: task) }
      // Who doesn't ask gets the uniform mixture.
      let choice = try tasks.choices([[0, 0, 0, 0]]) { _ in GateKey(task: task) }[0]
      #expect(choice.weights.largestDifference(to: [1 / 3, 1 / 3, 1 / 3]) < 1e-6)
    }
  }

  // MARK: The JSON form

  private func decode(_ json: String) throws -> GateDescription {
    try JSONDecoder().decode(GateDescription.self, from: Data(json.utf8))
  }

  @Test func descriptionsComeBackAsTheyWere() throws {
    var all: [GateDescription] = try GateParityTests.cases().map(\.description)
    all += [
      .loraMixer(), .perTaskTopK(2),
      GateDescription(
        selection: .entropySwitch(.init(entropyThreshold: 0.5, index: 2, topP: 0.5, atLeast: 1)),
        scale: 0.5, maximumK: 3),
      GateDescription(selection: .topP(threshold: 0.5, includesCrossing: false, atLeast: 2)),
    ]
    for description in all {
      let data = try JSONEncoder().encode(description)
      #expect(try JSONDecoder().decode(GateDescription.self, from: data) == description)
    }
  }

  @Test func whatIsNotGivenIsUsual() throws {
    #expect(try decode(#"{"selection": {"kind": "entropy_switch"}}"#) == .dynMoLE)
    let description = try decode(#"{"selection": {"kind": "top_k", "k": 2}}"#)
    #expect(description == .topKSoftmax(2, normalized: false))
  }

  @Test(arguments: [
    "{}", "[]", "3", #"{"selection": "top_k"}"#, #"{"selection": {"kind": "top_k"}}"#,
    #"{"selection": {"kind": "best", "k": 2}}"#,
    #"{"selection": {"kind": "top_k", "k": 2, "treshold": 1}}"#,
    #"{"selection": {"kind": "top_k", "k": 2}, "weigthing": "raw"}"#,
    #"{"selection": {"kind": "top_k", "k": 2}, "weighting": "heavy"}"#,
    #"{"selection": {"kind": "top_k", "k": 2}, "scores": "learned"}"#,
    #"{"selection": {"kind": "top_k", "k": 1e40}}"#,
    #"{"selection": {"kind": "top_p", "threshold": 0.4}}"#,
    #"{"selection": {"kind": "all"}, "smoothing": {"mix": 1, "similarity": "cosine"}}"#,
  ])
  func descriptionsThatAreNone(json: String) {
    #expect(throws: DecodingError.self) { try decode(json) }
  }
}
