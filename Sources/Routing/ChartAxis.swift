import Foundation

/// One axis of a chart: where values lie, and round numbers along it.
struct ChartAxis {
  /// How numbers on the axis read.
  enum Style {
    case plain, parameters, days, milliseconds, dollars, tokens, security, difficulty, continuity

    init(_ goal: Goal) {
      switch goal {
      case .size: self = .parameters
      case .recency: self = .days
      case .security: self = .security
      case .latency: self = .milliseconds
      case .cost: self = .dollars
      case .verbosity: self = .tokens
      case .readability: self = .difficulty
      case .continuity: self = .continuity
      }
    }

    var title: String {
      switch self {
      case .plain: ""
      case .parameters: "active parameters (log scale)"
      case .days: "age, days since release"
      case .milliseconds: "expected time to answer, milliseconds"
      case .dollars: "expected cost, US dollars"
      case .tokens: "mean length of answers, tokens"
      case .security: "security level (0 in this process, 1 leaves the machine)"
      case .difficulty: "reading difficulty (100 minus Flesch reading ease)"
      case .continuity: "whether another expert gave the last answer"
      }
    }
  }

  let low: Double
  let high: Double
  let start: Double
  let end: Double
  let style: Style
  private let hasNegativeValues: Bool

  /// Covers the values with some room on both sides.
  init(values: [Double], from start: Double, to end: Double, style: Style) {
    let smallest = values.min() ?? 0
    let largest = values.max() ?? 1
    let spread = largest - smallest
    let margin =
      spread > 0 ? spread * 0.12 : max(abs(largest) * 0.1, style == .parameters ? 0.3 : 0.1)
    low = smallest - margin
    hasNegativeValues = smallest < 0
    high = largest + margin
    self.start = start
    self.end = end
    self.style = style
  }

  func place(_ value: Double) -> Double {
    start + (end - start) * ((value - low) / (high - low)).clamped(0, 1)
  }

  /// Round numbers inside the axis, about five.
  var ticks: [(place: Double, label: String)] {
    if style == .parameters {
      let ticks = logarithmicTicks
      if ticks.count >= 2 { return ticks }
    }
    let rough = (high - low) / 5
    guard rough > 0, rough.isFinite else { return [] }
    let power = pow(10, floor(log10(rough)))
    let step = [1, 2, 2.5, 5, 10].map { $0 * power }.first { $0 >= rough } ?? 10 * power
    var value = (low / step).rounded(.up) * step
    var result: [(place: Double, label: String)] = []
    while value <= high, result.count < 20 {
      // Where no value is negative there is nothing that is: the room beside 0 has no numbers.
      if hasNegativeValues || value > -step / 2 {
        result.append((place(value), label(value, step: step)))
      }
      value += step
    }
    return result
  }

  private var logarithmicTicks: [(place: Double, label: String)] {
    var found: [(place: Double, label: String)] = []
    for exponent in max(0, Int(low.clamped(0, 17)))...max(0, Int(high.clamped(0, 17))) {
      for digit in [1.0, 2, 5] {
        let value = Double(exponent) + log10(digit)
        guard (low...high).contains(value) else { continue }
        found.append((place(value), Self.short(digit * pow(10, Double(exponent)))))
      }
    }
    return found
  }

  private func label(_ value: Double, step: Double) -> String {
    if style == .parameters { return Self.short(pow(10, value)) }
    let digits = max(0, min(9, Int((-floor(log10(step) + 1e-9)).rounded(.up))))
    // 2.5 needs one digit more than its power of ten.
    let extra = (step / pow(10, floor(log10(step) + 1e-9))) == 2.5 ? 1 : 0
    return String(format: "%.\(digits + extra)f", value == 0 ? 0 : value)
  }

  /// 135000000 reads 135M.
  static func short(_ value: Double) -> String {
    for (limit, letter) in [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")] where value >= limit {
      return String(format: "%.3g", value / limit) + letter
    }
    return String(format: "%.3g", value)
  }
}
