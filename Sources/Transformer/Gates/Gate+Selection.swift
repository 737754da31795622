import Kernels

extension Gate {
  /// The k of a request that doesn't say one.
  var ownK: Int { min(max(selection.fixedK ?? maximumK, 1), maximumK) }

  /// Writes the ids of the experts that a row keeps, best first, and returns how many.
  func keep(_ row: GateChoices.RowScratch, expertsK: Int?) -> Int {
    let k = expertsK.map { min(max($0, 1), maximumK) } ?? ownK
    switch selection {
    case .topK:
      return Self.best(k, of: compared(row), count: expertCount, into: row.ids)
    case .groupLimitedTopK(_, let groups, let keptGroups, let groupScore):
      return bestOfGroups(
        k, row, groups: groups, keptGroups: keptGroups, groupScore: groupScore)
    case .topP(let threshold, let includesCrossing, let atLeast):
      return nucleus(
        row, threshold: threshold, includesCrossing: includesCrossing, atLeast: atLeast, limit: k)
    case .entropySwitch(let values):
      if Self.entropy(row.probabilities, count: expertCount, values) > values.entropyThreshold {
        return Self.best(k, of: row.probabilities, count: expertCount, into: row.ids)
      }
      return nucleus(
        row, threshold: values.topP, includesCrossing: false, atLeast: values.atLeast, limit: k)
    case .all:
      return Self.best(k, of: compared(row), count: expertCount, into: row.ids)
    }
  }

  /// Probabilities with the selection's bias.
  private func compared(_ row: GateChoices.RowScratch) -> UnsafePointer<Float> {
    guard let selectionBias else { return UnsafePointer(row.probabilities) }
    selectionBias.withUnsafeBufferPointer { bias in
      for expert in 0..<expertCount {
        row.compared[expert] = row.probabilities[expert] + bias[expert]
      }
    }
    return UnsafePointer(row.compared)
  }

  /// The best experts until their sum crosses `threshold`.
  private func nucleus(
    _ row: GateChoices.RowScratch, threshold: Float, includesCrossing: Bool, atLeast: Int,
    limit: Int
  ) -> Int {
    // Rounding could let the sum of all exceed 1 before the last.
    if threshold >= 1 {
      return Self.best(limit, of: row.probabilities, count: expertCount, into: row.ids)
    }
    let least = min(atLeast, limit)
    // Few are kept as a rule: sorting all would be for nothing.
    var sorted = min(limit, max(least, 8))
    while true {
      _ = Self.best(sorted, of: row.probabilities, count: expertCount, into: row.ids)
      var kept = 0
      var sum: Float = 0
      while kept < sorted {
        let next = sum + row.probabilities[Int(row.ids[kept])]
        if includesCrossing ? sum > threshold : next > threshold { break }
        sum = next
        kept += 1
      }
      if kept < sorted || sorted == limit { return max(kept, least) }
      sorted = min(limit, sorted * 4)
    }
  }

  /// Ids of the `k` largest of `values`, largest first, the lower id before its equals.
  static func best(
    _ k: Int, of values: UnsafePointer<Float>, count: Int, into ids: UnsafeMutablePointer<Int32>
  ) -> Int {
    var kept = 0
    insert(0..<count, values, k: k, ids: ids, kept: &kept)
    return kept
  }

  /// Puts the experts of `range` into a sorted list of at most `k`. Ranges come in rising order.
  private static func insert(
    _ range: Range<Int>, _ values: UnsafePointer<Float>, k: Int,
    ids: UnsafeMutablePointer<Int32>, kept: inout Int
  ) {
    for candidate in range {
      let value = values[candidate]
      if kept < k {
        kept += 1
      } else if !(value > values[Int(ids[k - 1])]) {
        continue
      }
      var place = kept - 1
      while place > 0, value > values[Int(ids[place - 1])] {
        ids[place] = ids[place - 1]
        place -= 1
      }
      ids[place] = Int32(truncatingIfNeeded: candidate)
    }
  }

  private func bestOfGroups(
    _ k: Int, _ row: GateChoices.RowScratch, groups: Int, keptGroups: Int, groupScore: GroupScore
  ) -> Int {
    let values = compared(row)
    let size = expertCount / groups
    // Neither weights nor ids are in use yet: they have room for a number a group.
    let groupScores = row.weights
    for group in 0..<groups {
      var first = -Float.infinity
      var second = -Float.infinity
      for expert in group * size..<(group + 1) * size {
        let value = values[expert]
        if value > first {
          second = first
          first = value
        } else if value > second {
          second = value
        }
      }
      groupScores[group] = groupScore == .max ? first : first + second
    }
    _ = Self.best(keptGroups, of: groupScores, count: groups, into: row.ids)
    groupScores.update(repeating: 0, count: groups)
    for index in 0..<keptGroups { groupScores[Int(row.ids[index])] = 1 }
    var kept = 0
    for group in 0..<groups where groupScores[group] == 1 {
      Self.insert(
        group * size..<(group + 1) * size, values, k: k, ids: row.ids, kept: &kept)
    }
    return kept
  }
}
