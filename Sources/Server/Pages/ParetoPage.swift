import Foundation
import Routing

/// The page at `/pareto`: a form, the picture, and the numbers behind it. No script.
struct ParetoPage {
  let report: ParetoReport
  let prompt: String?
  let strategy: String?
  let decisions: Int?

  var html: String {
    let goals = Goal.ofExperts.map { goal -> String in
      let selected = goal == report.goal ? " selected" : ""
      return "<option value=\"\(goal.rawValue)\"\(selected)>\(goal.rawValue)</option>"
    }.joined()
    let strategies = ["", "ridge", "knn", "kmeans", "pilot"].map { name -> String in
      let selected = name == (strategy ?? "") ? " selected" : ""
      return "<option value=\"\(name)\"\(selected)>\(name.isEmpty ? "default" : name)</option>"
    }.joined()
    return """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>Pareto front: loss against \(report.goal.rawValue)</title>
      <style>\(Self.style)</style>
      </head>
      <body>
      <main>
      <h1>Which expert, at what price?</h1>
      <form method="get" action="/pareto">
      <input type="hidden" name="format" value="html">
      <label>Prompt
      <textarea name="prompt" rows="3" placeholder="Empty: all logged decisions">\(HTMLText.escape(prompt ?? ""))</textarea>
      </label>
      <div class="row">
      <label>Goal <select name="goal">\(goals)</select></label>
      <label>Strategy <select name="strategy">\(strategies)</select></label>
      <button type="submit">Show</button>
      </div>
      </form>
      <p class="about">\(about)</p>
      <figure>\(ParetoChart.svg(report))</figure>
      <table>
      <thead><tr>
      <th>Expert</th><th>Predicted loss<br><small>bits per byte</small></th>
      <th>\(HTMLText.escape(report.goal.rawValue))<br><small>\(HTMLText.escape(report.unit))</small></th>
      <th>On the front</th><th>Chosen for weights</th>\(report.points.contains { $0.share != nil } ? "<th>Chosen</th>" : "")
      </tr></thead>
      <tbody>
      \(report.points.map(row).joined(separator: "\n"))
      </tbody>
      </table>
      </main>
      </body>
      </html>

      """
  }

  private var about: String {
    if let decisions {
      return "Means over \(decisions) logged decision\(decisions == 1 ? "" : "s")."
    }
    return
      "For this prompt. An expert on the front is beaten by no other on both loss and \(report.goal.rawValue); "
      + "the weight of the goal decides which of them answers."
  }

  private func row(_ point: ParetoReport.Point) -> String {
    var cells = ["<th scope=\"row\">\(HTMLText.escape(point.expert))</th>"]
    if let reason = point.reason {
      cells.append("<td colspan=\"4\">\(HTMLText.escape(reason.message))</td>")
    } else {
      let loss = point.predictedLoss.map { loss in
        Self.number(loss, 3) + (point.uncertainty.map { " ± \(Self.number($0, 3))" } ?? "")
      }
      cells.append("<td>\(loss ?? "unknown")</td>")
      cells.append("<td>\(point.raw.map(Self.cost) ?? "unknown")</td>")
      cells.append("<td>\(point.onParetoFront ? "yes" : "no")</td>")
      cells.append("<td>\(range(point))</td>")
    }
    if let share = point.share { cells.append("<td>\(Self.number(share * 100, 1)) %</td>") }
    let isFaint = point.reason != nil || !point.onParetoFront
    return "<tr\(isFaint ? " class=\"faint\"" : "")>\(cells.joined())</tr>"
  }

  private func range(_ point: ParetoReport.Point) -> String {
    guard let low = point.minWeight else { return "none" }
    guard let high = point.maxWeight else { return "from \(Self.number(low, 3))" }
    return "\(Self.number(low, 3)) to \(Self.number(high, 3))"
  }

  /// Goals have all units: a cost may be some millionths of a dollar.
  private static func cost(_ value: Double) -> String {
    value == 0 || abs(value) >= 1 ? number(value, 3) : String(format: "%.3g", value)
  }

  private static func number(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }

  private static let style =
    PageStyle.common + """

      figure { margin: 0 0 1.5rem; }
      figure svg { width: 100%; height: auto; }
      """
}
