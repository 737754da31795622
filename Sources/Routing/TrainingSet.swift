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

  /// Bits per byte; a model that knew nothing would lose 8.
  package static let possibleLosses = 0...1e6
  package static let possibleActiveExperts: ClosedRange<Float> = 0...65_536

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
      for (expert, loss) in example.losses where !Self.possibleLosses.contains(loss) {
        throw .invalidValue(
          field: "losses.\(expert)", value: "\(loss)", expected: "bits per byte, 0 or more")
      }
      if let active = example.input.activeExperts, !Self.possibleActiveExperts.contains(active) {
        throw .invalidValue(
          field: "active_experts", value: "\(active)", expected: "0 to 65536")
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

  /// How hard each example is, whichever expert reads it: the mean loss over the experts that were
  /// measured on every example, or, where there are none, over those that were measured on this one.
  /// NaN for an example without losses.
  ///
  /// An expert that was measured on a part of the prompts, those of its domain or those that fit its
  /// context, can only be compared by what it loses beyond that.
  package var levels: [Double] {
    let everywhere = experts.filter { expert in examples.allSatisfy { $0.losses[expert] != nil } }
    return examples.map { example in
      let losses = (everywhere.isEmpty ? experts : everywhere).compactMap { example.losses[$0] }
      return losses.isEmpty ? .nan : losses.reduce(0, +) / Double(losses.count)
    }
  }

  /// Different prompts that each expert was measured on, for those that were not measured on all.
  package var partlyMeasured: [(expert: String, prompts: Int)] {
    let all = promptCount
    return experts.compactMap { expert in
      let count = Set(examples.lazy.filter { $0.losses[expert] != nil }.map(\.promptHash)).count
      return count < all ? (expert, count) : nil
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
