import Foundation
import Routing
import Testing

@Suite struct ParetoChartTests {
  private func report(_ count: Int, goal: Goal = .size, seed: UInt64 = 31) -> ParetoReport {
    var generator = SeededGenerator(seed: seed)
    var points = (0..<count).map { index in
      ParetoReport.Point(
        expert: "expert-\(index)", predictedLoss: 1 + generator.nextUnit(),
        raw: 8 + generator.nextUnit(), cost: nil)
    }
    for (index, cost) in Goal.scale(points.map(\.raw)).enumerated() { points[index].cost = cost }
    return ParetoReport(goal: goal, points: points)
  }

  @Test func theReportKnowsFrontAndRanges() {
    let report = ParetoReport(
      goal: .size,
      points: [
        .init(expert: "small", predictedLoss: 1.5, raw: 8, cost: 0),
        .init(expert: "middle", predictedLoss: 1.45, raw: 8.5, cost: 0.5),
        .init(expert: "large", predictedLoss: 1, raw: 9, cost: 1),
        .init(expert: "bad", predictedLoss: 2, raw: 9, cost: 1),
        .init(expert: "barred", eligible: false, predictedLoss: 0, raw: nil, cost: nil),
      ])
    #expect(report.points.map(\.onParetoFront) == [true, true, true, false, false])
    #expect(report.points.map(\.minWeight) == [0.5, nil, 0, nil, nil])
    #expect(report.points.map(\.maxWeight) == [nil, nil, 0.5, nil, nil])
  }

  @Test(arguments: [0, 1, 2, 9, 30])
  func thePictureIsWellFormed(count: Int) throws {
    for goal in Goal.allCases {
      let svg = ParetoChart.svg(report(count, goal: goal), chosen: "expert-1")
      #expect(isWellFormed(svg))
      #expect(svg.contains("prefers-color-scheme"))
      #expect(svg.components(separatedBy: "<circle class=\"o").count - 1 == count)
      #expect(!svg.contains("nan") && !svg.contains("inf"))
    }
  }

  @Test func hostileNamesAreEscaped() {
    let report = ParetoReport(
      goal: .cost,
      points: [
        .init(
          expert: "<script>alert('x')</script>&\"\u{1}", predictedLoss: 1, raw: 0, cost: 0)
      ])
    let svg = ParetoChart.svg(report, title: "</svg><b>")
    #expect(!svg.contains("<script") && !svg.contains("<b>"))
    #expect(isWellFormed(svg))
  }

  @Test func labelsDoNotOverlap() {
    let svg = ParetoChart.svg(report(9))
    // Baselines of the names: two on nearly one line must be apart.
    var places: [(x: Double, y: Double)] = []
    for part in svg.components(separatedBy: "<text").dropFirst() {
      let part = part.components(separatedBy: "</text>")[0]
      guard part.contains(">expert-") else { continue }
      let numbers = part.components(separatedBy: "\"").compactMap(Double.init)
      if numbers.count >= 2 { places.append((numbers[0], numbers[1])) }
    }
    #expect(places.count == 9)
    for i in places.indices {
      for j in places.indices where j > i {
        #expect(abs(places[i].y - places[j].y) >= 13 || abs(places[i].x - places[j].x) >= 55)
      }
    }
  }

  /// Tags are balanced and no bare ampersand stands in the text.
  private func isWellFormed(_ svg: String) -> Bool {
    var open: [Substring] = []
    var rest = svg[...]
    while let start = rest.firstIndex(of: "<") {
      guard let end = rest[start...].firstIndex(of: ">") else { return false }
      let tag = rest[rest.index(after: start)..<end]
      if tag.hasPrefix("/") {
        guard open.popLast() == tag.dropFirst() else { return false }
      } else if !tag.hasSuffix("/") {
        open.append(tag.prefix { $0 != " " && $0 != "\n" })
      }
      rest = rest[rest.index(after: end)...]
    }
    let entities = ["amp;", "lt;", "gt;", "quot;", "#39;"]
    let ampersands = svg.components(separatedBy: "&").dropFirst()
    return open.isEmpty
      && ampersands.allSatisfy { part in entities.contains { part.hasPrefix($0) } }
  }
}
