import Foundation

/// The picture of a ``ParetoReport``: predicted loss against a goal's cost, the front as a step line.
///
/// One self-contained SVG: no scripts, no fonts, all text escaped, light and dark by
/// `prefers-color-scheme`.
package enum ParetoChart {
  static let width = 820.0
  static let height = 520.0
  static let left = 74.0
  static let right = 796.0
  static let top = 64.0
  static let bottom = 452.0

  package static func svg(
    _ report: ParetoReport, title: String? = nil, chosen: String? = nil
  ) -> String {
    let drawn = report.points.filter {
      $0.eligible && ($0.predictedLoss?.isFinite ?? false) && ($0.raw?.isFinite ?? false)
    }
    let xAxis = ChartAxis(
      values: drawn.compactMap(\.raw), from: left, to: right, style: .init(report.goal))
    let yAxis = ChartAxis(
      values: drawn.compactMap(\.predictedLoss), from: bottom, to: top, style: .plain)
    let marks = drawn.map { point in
      Mark(
        point: point, x: xAxis.place(point.raw ?? 0), y: yAxis.place(point.predictedLoss ?? 0),
        isChosen: point.expert == chosen)
    }
    let heading = title ?? "Predicted loss against \(report.goal.rawValue)"
    var body = [
      "<rect class=\"page\" width=\"\(f(width))\" height=\"\(f(height))\" rx=\"10\"/>",
      "<text class=\"heading\" x=\"\(f(left))\" y=\"30\">\(cut(heading, 90).xmlEscaped)</text>",
      "<text class=\"note\" x=\"\(f(left))\" y=\"49\">Below and to the left is better. "
        + "The line is the Pareto front; under each name the weights that choose it.</text>",
    ]
    body += axes(xAxis, yAxis, report.goal)
    if marks.isEmpty {
      body.append(
        "<text class=\"note\" x=\"\(f((left + right) / 2))\" y=\"\(f((top + bottom) / 2))\" "
          + "text-anchor=\"middle\">No expert has both a predicted loss and a known cost.</text>")
    }
    body += frontLine(marks)
    body += marks.map(dot)
    body += labels(marks)
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(f(width)) \(f(height))" \
      width="\(f(width))" height="\(f(height))" role="img" aria-label="\(heading.xmlEscaped)">
      <style>\(style)</style>
      \(body.joined(separator: "\n"))
      </svg>

      """
  }

  struct Mark {
    var point: ParetoReport.Point
    var x: Double
    var y: Double
    var isChosen: Bool
  }

  private static let style = """
    .page{fill:#ffffff}text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;\
    fill:#1f2933}.heading{font-size:17px;font-weight:600}.note,.tick,.range{fill:#5f6c7b;\
    font-size:12px}.axis{stroke:#9aa5b1;fill:none}.grid{stroke:#e4e7eb;fill:none}\
    .front{stroke:#0b7285;stroke-width:2;fill:none}.on{fill:#0b7285}.off{fill:#aab4be}\
    .ring{fill:none;stroke:#d9480f;stroke-width:2}.dim{fill:#8a96a3}\
    .leader{stroke:#9aa5b1;fill:none}\
    @media (prefers-color-scheme: dark){.page{fill:#15191e}text{fill:#e6e9ed}\
    .note,.tick,.range{fill:#9aa5b1}.axis{stroke:#616e7c}.grid{stroke:#272e36}\
    .front{stroke:#3bc9db}.on{fill:#3bc9db}.off{fill:#52606d}.ring{stroke:#ff922b}\
    .dim{fill:#7b8794}.leader{stroke:#616e7c}}
    """

  private static func axes(_ x: ChartAxis, _ y: ChartAxis, _ goal: Goal) -> [String] {
    var parts: [String] = []
    for tick in y.ticks {
      parts.append(line("grid", left, tick.place, right, tick.place))
      parts.append(
        "<text class=\"tick\" x=\"\(f(left - 8))\" y=\"\(f(tick.place + 4))\" "
          + "text-anchor=\"end\">\(tick.label.xmlEscaped)</text>")
    }
    for tick in x.ticks {
      parts.append(line("grid", tick.place, top, tick.place, bottom))
      parts.append(
        "<text class=\"tick\" x=\"\(f(tick.place))\" y=\"\(f(bottom + 18))\" "
          + "text-anchor=\"middle\">\(tick.label.xmlEscaped)</text>")
    }
    parts.append("<path class=\"axis\" d=\"M\(f(left)) \(f(top))V\(f(bottom))H\(f(right))\"/>")
    parts.append(
      "<text x=\"\(f((left + right) / 2))\" y=\"\(f(bottom + 44))\" text-anchor=\"middle\">"
        + "\(ChartAxis.Style(goal).title.xmlEscaped)</text>")
    parts.append(
      "<text transform=\"translate(22 \(f((top + bottom) / 2))) rotate(-90)\" "
        + "text-anchor=\"middle\">predicted loss, bits per byte</text>")
    return parts
  }

  /// The corners of the steps; everything above and to the right of them is dominated.
  private static func steps(_ marks: [Mark]) -> [(x: Double, y: Double)] {
    let front = marks.filter(\.point.onParetoFront).sorted { ($0.x, -$0.y) < ($1.x, -$1.y) }
    guard let first = front.first, let last = front.last else { return [] }
    var corners = [(x: first.x, y: top), (x: first.x, y: first.y)]
    for (before, mark) in zip(front, front.dropFirst()) {
      corners += [(mark.x, before.y), (mark.x, mark.y)]
    }
    return corners + [(right, last.y)]
  }

  private static func frontLine(_ marks: [Mark]) -> [String] {
    let points = steps(marks).map { "\(f($0.x)),\(f($0.y))" }
    guard !points.isEmpty else { return [] }
    return ["<polyline class=\"front\" points=\"\(points.joined(separator: " "))\"/>"]
  }

  private static func dot(_ mark: Mark) -> String {
    let point = mark.point
    let kind = point.onParetoFront ? "on" : "off"
    let loss = String(format: "%.3f", point.predictedLoss ?? 0)
    let ring =
      mark.isChosen
      ? "<circle class=\"ring\" cx=\"\(f(mark.x))\" cy=\"\(f(mark.y))\" r=\"9.5\"/>" : ""
    return "<g><title>\(point.expert.xmlEscaped): \(loss) bits per byte</title>"
      + "<circle class=\"\(kind)\" cx=\"\(f(mark.x))\" cy=\"\(f(mark.y))\" r=\"5.5\"/>\(ring)</g>"
  }

  private static func labels(_ marks: [Mark]) -> [String] {
    let texts = marks.map { mark in
      (name: cut(mark.point.expert, 34), range: rangeText(mark.point))
    }
    let boxes = ChartLabels.place(
      anchors: marks.map { ($0.x, $0.y) },
      sizes: texts.map { text in
        // Wide fonts are about 8 units a character at this size.
        let longest = max(Double(text.name.count) * 8.2, Double(text.range?.count ?? 0) * 7.2)
        return (longest + 4, text.range == nil ? 17 : 31)
      },
      lines: zip(steps(marks), steps(marks).dropFirst()).map { from, to in
        ChartLabels.Box(
          x: min(from.x, to.x) - 2, y: min(from.y, to.y) - 2, width: abs(from.x - to.x) + 4,
          height: abs(from.y - to.y) + 4)
      },
      inside: ChartLabels.Box(x: left + 2, y: top, width: right - left, height: bottom - top))
    return marks.indices.map { index in
      let box = boxes[index]
      let mark = marks[index]
      let tone = mark.point.onParetoFront ? "" : " class=\"dim\""
      // Left of its mark a label ends at it, whatever the font's real width.
      let isLeft = box.x + box.width <= mark.x
      let x = f(isLeft ? box.x + box.width - 2 : box.x + 2)
      let end = isLeft ? " text-anchor=\"end\"" : ""
      var text =
        "<text\(tone) x=\"\(x)\" y=\"\(f(box.y + 13))\"\(end)>"
        + "\(texts[index].name.xmlEscaped)</text>"
      if let range = texts[index].range {
        text +=
          "<text class=\"range\" x=\"\(x)\" y=\"\(f(box.y + 27))\"\(end)>"
          + "\(range.xmlEscaped)</text>"
      }
      if let (x, y) = box.leader(to: mark.x, mark.y) {
        text = line("leader", mark.x, mark.y, x, y) + text
      }
      return text
    }
  }

  private static func rangeText(_ point: ParetoReport.Point) -> String? {
    guard let lower = point.minWeight else { return nil }
    let start = String(format: "%.3g", lower)
    guard let upper = point.maxWeight else { return "weight from \(start)" }
    return "weight \(start) to \(String(format: "%.3g", upper))"
  }

  static func line(_ kind: String, _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double)
    -> String
  {
    "<path class=\"\(kind)\" d=\"M\(f(x1)) \(f(y1))L\(f(x2)) \(f(y2))\"/>"
  }

  static func f(_ value: Double) -> String {
    let text = String(format: "%.1f", value.clamped(-1e6, 1e6))
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  private static func cut(_ text: String, _ limit: Int) -> String {
    text.count <= limit ? text : String(text.prefix(limit - 1)) + "…"
  }
}

extension String {
  /// Safe in XML text and attributes; characters that XML does not allow are left out.
  package var xmlEscaped: String {
    var result = ""
    for scalar in unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n", "\t": result += " "
      default:
        if scalar.value >= 0x20, scalar.value != 0xFFFE, scalar.value != 0xFFFF {
          result.unicodeScalars.append(scalar)
        }
      }
    }
    return result
  }
}
