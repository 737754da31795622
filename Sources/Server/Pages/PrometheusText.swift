import Foundation
import Thalamus

/// Prometheus' text format, version 0.0.4: families of samples, each with its help and type.
struct PrometheusText {
  static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  private(set) var text = ""

  /// Begins a family; its samples follow.
  mutating func family(_ name: String, _ type: String, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Double) {
    text += "\(name)\(Self.labels(labels)) \(Self.number(value))\n"
  }

  /// The samples of a histogram.
  mutating func histogram(
    _ name: String, _ labels: [(String, String)], _ histogram: DurationHistogram
  ) {
    var sum = 0
    for (bound, count) in zip(DurationHistogram.bounds, histogram.counts) {
      sum += count
      sample(name + "_bucket", labels + [("le", Self.number(bound))], Double(sum))
    }
    sample(name + "_bucket", labels + [("le", "+Inf")], Double(histogram.count))
    sample(name + "_sum", labels, histogram.sumSeconds)
    sample(name + "_count", labels, Double(histogram.count))
  }

  private static func labels(_ labels: [(String, String)]) -> String {
    guard !labels.isEmpty else { return "" }
    let pairs = labels.map { name, value in
      let escaped =
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing(
          "\n", with: "\\n")
      return "\(name)=\"\(escaped)\""
    }
    return "{\(pairs.joined(separator: ","))}"
  }

  private static func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : "\(value)"
  }
}
