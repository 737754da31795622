import Kernels
import Testing
import Transformer

@Suite struct GateStatisticsTests {
  private func recorded(_ gate: Gate, _ rows: [[Float]], layer: Int) throws -> GateStatistics {
    let input = try FloatBuffer(rows)
    let choices = try GateChoices(maxRows: rows.count, expertCount: gate.totalExperts)
    gate.choose(
      input.pointer, stride: input.width, rows: 0..<rows.count, keys: { GateKey(position: $0) },
      into: choices)
    var statistics = GateStatistics()
    statistics.record(choices, rows: 0..<rows.count, layer: layer)
    return statistics
  }

  @Test func countsWhatWasChosen() throws {
    let gate = try Gate.ofLogits(3, selection: .topP(threshold: 0.5, includesCrossing: true))
    // One expert, two and three.
    let rows: [[Float]] = [[9, 0, 0], [1, 1, -9], [0, 0, 0], [0, 9, 0]]
    var statistics = try recorded(gate, rows, layer: 1)
    #expect(statistics.choiceCount == 4)
    #expect(statistics.activeSum == 6)
    #expect(statistics.maximumActive == 2)
    #expect(statistics.meanActive == 1.5)
    #expect((0..<3).map { statistics.count(layer: 1, expert: $0) } == [3, 3, 0])
    #expect(statistics.shares(layer: 1) == [0.5, 0.5, 0])
    #expect(statistics.count(layer: 0, expert: 0) == 0)
    #expect(statistics.count(layer: 7, expert: -1) == 0)
    #expect(statistics.shares(layer: 0).isEmpty)

    let wider = try Gate.ofLogits(4, selection: .topK(3))
    try statistics.merge(recorded(wider, [[0, 1, 2, 3]], layer: 0))
    #expect(statistics.choiceCount == 5)
    #expect(statistics.activeSum == 9)
    #expect(statistics.maximumActive == 3)
    #expect((0..<4).map { statistics.count(layer: 0, expert: $0) } == [0, 1, 1, 1])
    #expect((0..<4).map { statistics.count(layer: 1, expert: $0) } == [3, 3, 0, 0])
  }

  @Test func nothingYet() {
    let statistics = GateStatistics(layerCount: 2, expertCount: 3)
    #expect(statistics.meanActive == nil)
    #expect(statistics.shares(layer: 1).isEmpty)
    var other = GateStatistics()
    other.merge(statistics)
    #expect(other == statistics)
  }
}
