/// How much each goal counts, in bits per byte for the whole way from the best to the worst expert.
package struct GoalWeights: Equatable, Sendable {
  /// Largest weight a caller may ask for: far beyond it only the goal counts anyway.
  package static let maximum = 100.0

  private var values: [Goal: Double]

  package init() { values = [:] }

  /// Throws where a weight is not a finite number in 0...``maximum``.
  package init(_ weights: [Goal: Double]) throws(RoutingError) {
    for goal in Goal.allCases {
      if let weight = weights[goal] { try Self.check(weight, of: goal) }
    }
    values = weights
  }

  /// The weight of a goal; 0 where none was given.
  package subscript(goal: Goal) -> Double { values[goal] ?? 0 }

  /// Whether a weight, even 0, was given.
  package func names(_ goal: Goal) -> Bool { values[goal] != nil }

  /// Sets a weight that must be in 0...``maximum``.
  package mutating func set(_ weight: Double, for goal: Goal) throws(RoutingError) {
    try Self.check(weight, of: goal)
    values[goal] = weight
  }

  /// The goals that count, in the order of ``Goal``.
  package var active: [Goal] { Goal.allCases.filter { self[$0] > 0 } }

  /// The given weights, in the order of ``Goal``.
  package var given: [(goal: Goal, weight: Double)] {
    Goal.allCases.compactMap { goal in values[goal].map { (goal, $0) } }
  }

  private static func check(_ weight: Double, of goal: Goal) throws(RoutingError) {
    guard weight.isFinite, (0...maximum).contains(weight) else {
      throw .invalidValue(
        field: "flags.\(goal.rawValue)", value: "\(weight)",
        expected: "a weight from 0 to \(Int(maximum))")
    }
  }
}

extension GoalWeights: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: AnyKey.self)
    var weights: [Goal: Double] = [:]
    for key in container.allKeys.sorted(by: { $0.stringValue < $1.stringValue }) {
      guard let goal = Goal(rawValue: key.stringValue) else {
        throw RoutingError.unknownKey(
          field: "flags.\(key.stringValue)",
          suggestion: key.stringValue.nearest(among: Goal.allCases.map(\.rawValue)))
      }
      weights[goal] = try container.decode(Double.self, forKey: key)
    }
    try self.init(weights)
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: AnyKey.self)
    for (goal, weight) in given { try container.encode(weight, forKey: AnyKey(goal.rawValue)) }
  }
}

/// A coding key of any name, to find the keys that should not be there.
struct AnyKey: CodingKey {
  var stringValue: String
  var intValue: Int? { nil }

  init(_ name: String) { stringValue = name }
  init?(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}
