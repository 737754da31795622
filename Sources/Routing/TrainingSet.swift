/// One prompt with the losses measured on it.
package struct TrainingExample: Sendable {
  /// SHA-256 of the prompt, hex: equal prompts stay in one fold.
  package var promptHash: String
  package var domain: String
  package var input: RouterInput
  /// Measured loss in bits per byte, by expert; experts may be missing.
  package var losses: [String: Double]

  package init(promptHash: String, domain: String, input: RouterInput, losses: [String: Double]) {
    self.promptHash = promptHash
    self.domain = domain
    self.input = input
    self.losses = losses
  }

  /// The expert with the smallest measured loss; of equals the id that sorts first.
  package var bestExpert: String? {
    losses.filter { $0.value.isFinite }.min { ($0.value, $0.key) < ($1.value, $1.key) }?.key
  }
}

/// What routers are trained on: checked, with every loss finite and every embedding of one length.
package struct TrainingSet: Sendable {
  package let experts: [String]
  package let examples: [TrainingExample]
  package let dimension: Int

  /// - Parameter experts: which losses count; nil for all that occur, sorted by id.
  package init(examples: [TrainingExample], experts: [String]? = nil) throws(RoutingError) {
    guard let first = examples.first else {
      throw .notEnoughData(field: "examples", needed: 1, found: 0)
    }
    let names = experts ?? Set(examples.flatMap { $0.losses.keys }).sorted()
    guard !names.isEmpty, Set(names).count == names.count else {
      throw .invalidValue(
        field: "experts", value: names.joined(separator: ","), expected: "different names")
    }
    dimension = first.input.embedding.count
    for example in examples {
      guard example.input.embedding.count == dimension else {
        throw .wrongDimension(
          field: "embedding", expected: dimension, found: example.input.embedding.count)
      }
      guard example.input.embedding.allSatisfy(\.isFinite) else {
        throw .invalidValue(field: "embedding", value: "nan", expected: "finite numbers")
      }
      for (expert, loss) in example.losses where !loss.isFinite || loss < 0 {
        throw .invalidValue(
          field: "losses.\(expert)", value: "\(loss)", expected: "bits per byte, 0 or more")
      }
    }
    for name in names {
      let count = examples.count { $0.losses[name] != nil }
      guard count >= 2 else {
        throw .notEnoughData(field: "outcomes of \(name)", needed: 2, found: count)
      }
    }
    self.experts = names
    self.examples = examples
  }

  /// Whether every example says how many experts a mixture's gates made active.
  package var hasActiveExperts: Bool {
    examples.allSatisfy { $0.input.activeExperts?.isFinite == true }
  }

  /// Fold of each example, 0..<count, by the prompt's hash.
  package func folds(_ count: Int) -> [Int] {
    examples.map { Int(StableHash.fnv1a($0.promptHash) % UInt64(max(1, count))) }
  }

  /// Mean loss of each expert over the examples that have it, in the order of ``experts``.
  package var meanLosses: [Double] {
    experts.map { expert in
      let losses = examples.compactMap { $0.losses[expert] }
      return losses.reduce(0, +) / Double(max(1, losses.count))
    }
  }

  /// Different prompts: an example may be a part of one.
  package var promptCount: Int { Set(examples.map(\.promptHash)).count }

  /// Different prompts a domain.
  package var domainCounts: [String: Int] {
    var seen: Set<String> = []
    return examples.reduce(into: [:]) { counts, example in
      if seen.insert(example.promptHash).inserted { counts[example.domain, default: 0] += 1 }
    }
  }
}
