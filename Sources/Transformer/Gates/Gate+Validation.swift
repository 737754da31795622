import Kernels

extension Gate {
  /// More would overflow nothing, but no model has them: a wrong file.
  static let largestExpertCount = 65_536

  static func check(expertCount: Int, width: Int, sharedExperts: Int) throws(ModelError) {
    try check("expert_count", expertCount, in: 1...largestExpertCount)
    try check("width", width, in: 1...(1 << 24))
    try check("shared_experts", sharedExperts, in: 0...largestExpertCount)
  }

  func validate() throws(ModelError) {
    if let selectionBias {
      guard selection.fixedK != nil else {
        throw .invalidValue(
          key: "gate.selection_bias", value: "present",
          expected: "none with a selection by probability mass")
      }
      try Self.check("selection_bias", selectionBias, count: expertCount)
    }
    guard scale.isFinite else {
      throw .invalidValue(key: "gate.scale", value: "\(scale)", expected: "a finite number")
    }
    if let bias { try Self.check("bias", bias, count: expertCount) }
    if scores == .perTask, probability == .none, weighting == .raw || weighting == .sumToOne {
      throw .invalidValue(
        key: "gate.probability", value: "none", expected: "sigmoid or softmax for a task's row")
    }
    try validateSelection()
    if let smoothing {
      try smoothing.validate(probability: probability)
      guard weighting != .softmaxOverKept else {
        throw .invalidValue(
          key: "gate.weighting", value: weighting.rawValue,
          expected: "one that uses probabilities, with smoothing")
      }
    }
  }

  private func validateSelection() throws(ModelError) {
    switch selection {
    case .topK(let k):
      try Self.check("selection.k", k, in: 1...expertCount)
    case .groupLimitedTopK(let k, let groups, let keptGroups, let groupScore):
      try Self.check("selection.groups", groups, in: 1...expertCount)
      guard expertCount.isMultiple(of: groups) else {
        throw .invalidValue(
          key: "gate.selection.groups", value: "\(groups)",
          expected: "a divisor of \(expertCount) experts")
      }
      let size = expertCount / groups
      if groupScore == .topTwoSum, size < 2 {
        throw .invalidValue(
          key: "gate.selection.groups", value: "\(groups)", expected: "groups of two or more")
      }
      try Self.check("selection.kept_groups", keptGroups, in: 1...groups)
      try Self.check("selection.k", k, in: 1...(keptGroups * size))
    case .topP(let threshold, _, let atLeast):
      try requireSoftmax("top_p")
      try Self.check("selection.threshold", threshold, atLeast: 0)
      try Self.check("selection.at_least", atLeast, in: 1...Self.largestExpertCount)
    case .entropySwitch(let values):
      try requireSoftmax("entropy_switch")
      try Self.check("selection.entropy_threshold", values.entropyThreshold, atLeast: 0)
      try Self.check("selection.epsilon", values.epsilon, atLeast: 0)
      try Self.check("selection.top_p", values.topP, atLeast: 0)
      try Self.check("selection.at_least", values.atLeast, in: 1...Self.largestExpertCount)
      guard values.index > 0, values.index <= 16 else {
        throw .invalidValue(
          key: "gate.selection.index", value: "\(values.index)", expected: "above 0, at most 16")
      }
    case .all: break
    }
  }

  private func requireSoftmax(_ kind: String) throws(ModelError) {
    guard probability == .softmax else {
      throw .invalidValue(
        key: "gate.probability", value: probability.rawValue, expected: "softmax with \(kind)")
    }
  }

  static func check(
    _ field: String, _ value: Int, in range: ClosedRange<Int>
  ) throws(ModelError) {
    guard range.contains(value) else {
      throw .invalidValue(
        key: "gate." + field, value: "\(value)",
        expected: "\(range.lowerBound) to \(range.upperBound)")
    }
  }

  static func check(_ field: String, _ value: Float, atLeast least: Float) throws(ModelError) {
    guard value >= least, value.isFinite else {
      throw .invalidValue(
        key: "gate." + field, value: "\(value)", expected: "a finite number from \(least)")
    }
  }

  private static func check(
    _ field: String, _ values: [Float], count: Int
  ) throws(ModelError) {
    guard values.count == count else {
      throw .wrongShape(tensor: "gate." + field, shape: [values.count], expected: [count])
    }
    guard values.allSatisfy(\.isFinite) else {
      throw .unreadableTensor("gate." + field, reason: "it holds a number that is not finite")
    }
  }

  /// Whether a request may ask for this. `choose` never fails: it takes the nearest that is
  /// possible; whoever answers requests asks here first, and refuses by name.
  package func validate(expertsK: Int?, task: Int?) throws(ModelError) {
    if let expertsK {
      guard (1...maximumK).contains(expertsK) else {
        throw .invalidValue(
          key: "experts_k", value: "\(expertsK)", expected: "1 to \(maximumK)")
      }
    }
    guard let task else { return }
    guard let tasks else {
      throw .invalidValue(key: "task", value: "\(task)", expected: "none: this gate has no tasks")
    }
    guard (0..<tasks.rows).contains(task) else {
      throw .invalidValue(key: "task", value: "\(task)", expected: "0 to \(tasks.rows - 1)")
    }
  }
}
