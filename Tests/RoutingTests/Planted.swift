import Foundation
import Routing

/// Made-up outcomes with a known truth.
enum Planted {
  /// Losses of three experts that are linear in a 16-dimensional embedding, with some noise; the
  /// third expert's are missing for a fifth of the prompts.
  static func linear(count: Int, seed: UInt64, skip: Int = 0) throws -> TrainingSet {
    var generator = SeededGenerator(seed: seed)
    let truth = (0..<3).map { _ in (0..<16).map { _ in generator.nextNormal() * 0.3 } }
    var examples: [TrainingExample] = []
    for index in 0..<(skip + count) {
      let x = (0..<16).map { _ in generator.nextNormal() }
      var losses: [String: Double] = [:]
      for (expert, weights) in truth.enumerated() {
        let mean = 4 + zip(weights, x).reduce(0) { $0 + $1.0 * $1.1 }
        losses["e\(expert)"] = max(0, mean + 0.1 * generator.nextNormal())
      }
      if index % 5 == 0 { losses["e2"] = nil }
      let text = "prompt \(index)"
      examples.append(
        TrainingExample(
          promptHash: SHA256.hex(of: text), domain: "d",
          input: RouterInput(embedding: x.map(Float.init), text: text), losses: losses))
    }
    return try TrainingSet(examples: Array(examples.dropFirst(skip)))
  }

  /// Prompts whose meaning tells nothing: how hard they are decides which of two experts does better,
  /// the small one on easy prompts and the large one on hard ones. A mixture's gates tell it, with some
  /// noise.
  static func difficulty(
    count: Int, seed: UInt64, isTold: Bool = true
  ) throws -> TrainingSet {
    var generator = SeededGenerator(seed: seed)
    let examples = (0..<count).map { index -> TrainingExample in
      let x = (0..<16).map { _ in Float(generator.nextNormal()) }
      let difficulty = generator.nextUnit()
      let noise = { 0.05 * generator.nextNormal() }
      let text = "prompt \(seed) \(index)"
      var input = RouterInput(embedding: x, text: "x")
      if isTold { input.activeExperts = Float(1 + 3 * difficulty + 0.1 * generator.nextNormal()) }
      return TrainingExample(
        promptHash: SHA256.hex(of: text), domain: "d", input: input,
        losses: ["small": 1 + 2 * difficulty + noise(), "large": 1.8 + 0.4 * difficulty + noise()])
    }
    return try TrainingSet(examples: examples)
  }

  /// Four domains, each a direction in a 24-dimensional space, each with its own best expert.
  static func domains(count: Int, seed: UInt64) throws -> TrainingSet {
    var generator = SeededGenerator(seed: 99)
    let centres = (0..<4).map { _ in (0..<24).map { _ in generator.nextNormal() } }
    generator = SeededGenerator(seed: seed)
    var examples: [TrainingExample] = []
    for index in 0..<count {
      let domain = index % 4
      let x = centres[domain].map { $0 + 0.5 * generator.nextNormal() }
      var losses: [String: Double] = [:]
      for expert in 0..<4 {
        losses["e\(expert)"] = (expert == domain ? 1 : 1.4) + 0.05 * generator.nextUnit()
      }
      let text = "prompt \(seed) \(index)"
      examples.append(
        TrainingExample(
          promptHash: SHA256.hex(of: text), domain: "d\(domain)",
          input: RouterInput(embedding: x.map(Float.init), text: "x"), losses: losses))
    }
    return try TrainingSet(examples: examples)
  }
}
