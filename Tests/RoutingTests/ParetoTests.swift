import Routing
import Testing

@Suite struct ParetoTests {
  @Test func theFrontEqualsBruteForce() {
    var generator = SeededGenerator(seed: 6)
    for _ in 0..<500 {
      let points = (0..<(1 + generator.next(below: 12))).map { _ in
        (0..<2).map { _ in Double(generator.next(below: 6)) }
      }
      let front = points.indices.filter { i in
        !points.contains { p in
          p != points[i] && p[0] <= points[i][0] && p[1] <= points[i][1]
        }
      }
      #expect(ParetoFront.indices(points) == front)
    }
  }

  @Test func theEnvelopeEqualsAScan() throws {
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<500 {
      let count = 1 + generator.next(below: 10)
      let coarse = generator.next(below: 2) == 0
      let draw = { (g: inout SeededGenerator) in
        coarse ? Double(g.next(below: 5)) / 4 : g.nextUnit()
      }
      var losses: [Double] = []
      var costs: [Double] = []
      for _ in 0..<count {
        losses.append(draw(&generator))
        costs.append(draw(&generator))
      }
      let envelope = LowerEnvelope(losses: losses, costs: costs)
      #expect(envelope.pieces.first?.lower == 0)
      #expect(envelope.pieces.last?.upper == .infinity)
      for (left, right) in zip(envelope.pieces, envelope.pieces.dropFirst()) {
        #expect(left.upper == right.lower)
        #expect(left.lower < left.upper)
        #expect(costs[right.index] < costs[left.index])
        // The break point is where the two lines cross.
        let a = losses[left.index] + left.upper * costs[left.index]
        let b = losses[right.index] + left.upper * costs[right.index]
        #expect(abs(a - b) < 1e-9)
      }
      for step in 0..<200 {
        let weight = Double(step) * 0.037
        let best = try #require(losses.indices.map { losses[$0] + weight * costs[$0] }.min())
        let piece = try #require(
          envelope.pieces.first { $0.lower <= weight && weight <= $0.upper })
        #expect(losses[piece.index] + weight * costs[piece.index] <= best + 1e-9)
      }
    }
  }

  @Test func equalLinesHaveOneRange() {
    let envelope = LowerEnvelope(losses: [1, 1, 2], costs: [1, 1, 0])
    #expect(envelope.pieces.map(\.index) == [0, 2])
    #expect(envelope.pieces.map(\.upper) == [1, .infinity])
    #expect(LowerEnvelope(losses: [], costs: []).pieces.isEmpty)
    #expect(LowerEnvelope(losses: [.nan], costs: [1]).pieces.isEmpty)
  }
}
