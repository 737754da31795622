/// What gates chose over some tokens: how many experts were active, and which.
package struct GateStatistics: Sendable, Equatable {
  package private(set) var layerCount = 0
  /// Experts a layer, shared and bypass included.
  package private(set) var expertCount = 0
  /// Choices made: one a token and layer.
  package private(set) var choiceCount = 0
  /// Sum of the numbers of active experts over all choices.
  package private(set) var activeSum = 0
  package private(set) var maximumActive = 0
  /// How many tokens chose an expert. // (layers, experts)
  private var counts: [Int] = []

  package init() {}

  /// Room for a model's layers and experts from the start, so that recording allocates nothing.
  package init(layerCount: Int, expertCount: Int) {
    grow(layerCount: layerCount, expertCount: expertCount)
  }

  /// Mean number of active experts of a token in a layer; nil before the first.
  package var meanActive: Double? {
    choiceCount > 0 ? Double(activeSum) / Double(choiceCount) : nil
  }

  /// How many tokens chose this expert in this layer.
  package func count(layer: Int, expert: Int) -> Int {
    guard (0..<layerCount).contains(layer), (0..<expertCount).contains(expert) else { return 0 }
    return counts[layer * expertCount + expert]
  }

  /// Each expert's share of a layer's choices; empty before the first. // (experts)
  package func shares(layer: Int) -> [Double] {
    guard (0..<layerCount).contains(layer) else { return [] }
    let row = counts[layer * expertCount..<(layer + 1) * expertCount]
    let total = row.reduce(0, +)
    return total > 0 ? row.map { Double($0) / Double(total) } : []
  }

  /// Adds what `choices` has for `rows` of one layer.
  /// - Parameter expertCount: Ids that the gate gives; nil where `choices` was made for this gate
  ///   alone, and has no room for more.
  package mutating func record(
    _ choices: GateChoices, rows: Range<Int>, layer: Int, expertCount: Int? = nil
  ) {
    guard layer >= 0 else { return }
    grow(layerCount: layer + 1, expertCount: expertCount ?? choices.expertCount)
    for row in rows {
      let ids = choices.ids(row: row)
      choiceCount += 1
      activeSum += ids.count
      maximumActive = max(maximumActive, ids.count)
      for id in ids { counts[layer * self.expertCount + Int(id)] += 1 }
    }
  }

  package mutating func merge(_ other: GateStatistics) {
    grow(layerCount: other.layerCount, expertCount: other.expertCount)
    choiceCount += other.choiceCount
    activeSum += other.activeSum
    maximumActive = max(maximumActive, other.maximumActive)
    for layer in 0..<other.layerCount {
      for expert in 0..<other.expertCount {
        counts[layer * expertCount + expert] += other.counts[layer * other.expertCount + expert]
      }
    }
  }

  private mutating func grow(layerCount newLayers: Int, expertCount newExperts: Int) {
    let layers = max(layerCount, newLayers)
    let experts = max(expertCount, newExperts)
    guard layers > layerCount || experts > expertCount else { return }
    var grown = [Int](repeating: 0, count: layers * experts)
    for layer in 0..<layerCount {
      for expert in 0..<expertCount {
        grown[layer * experts + expert] = counts[layer * expertCount + expert]
      }
    }
    counts = grown
    layerCount = layers
    expertCount = experts
  }
}
