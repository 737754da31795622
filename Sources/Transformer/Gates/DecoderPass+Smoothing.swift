import Kernels

extension DecoderPass {
  /// Lets a gate choose for rows that this worker has just normalised. A smoothed gate only notes
  /// them here: it chooses in `settle`, once a barrier has made the other workers' rows visible.
  /// // input (rows, width)
  func choose(
    _ gate: Gate, at place: GateHistories.Place, layer: Int, input: FloatBuffer, rows: Range<Int>,
    into choices: GateChoices
  ) {
    guard gate.smoothing != nil else {
      gate.choose(
        input.pointer, stride: input.width, rows: rows,
        keys: { gateKey(row: $0, layer: layer) }, into: choices)
      return
    }
    forEachSequence(of: rows, place, layer: layer) { history, firstRow, mine in
      gate.remember(
        input.pointer, stride: input.width, rows: mine, firstRow: firstRow,
        keys: { gateKey(row: $0, layer: layer) }, history: history, into: choices)
    }
  }

  /// The second half of a smoothed gate's choice, for the same rows; nothing for other gates. A
  /// barrier stands before and after it. The layer's attention is done, and where a gate is smoothed
  /// by its weights, `worker` is this one.
  func settle(
    _ gate: Gate, at place: GateHistories.Place, layer: Int, rows: Range<Int>,
    into choices: GateChoices, worker: Worker = .alone
  ) {
    guard let smoothing = gate.smoothing else { return }
    forEachSequence(of: rows, place, layer: layer) { history, firstRow, mine in
      guard smoothing.similarity == .attention else {
        gate.choose(
          rows: mine, firstRow: firstRow, keys: { gateKey(row: $0, layer: layer) },
          history: history, into: choices)
        return
      }
      for row in mine {
        gate.choose(
          rows: row..<row + 1, firstRow: firstRow,
          attention: attentionWeights.weights(of: row, layer: layer, self, worker: worker),
          keys: { gateKey(row: $0, layer: layer) }, history: history, into: choices)
      }
    }
  }

  /// The parts of `rows` by sequence, with its history and its first row in the pass.
  private func forEachSequence(
    of rows: Range<Int>, _ place: GateHistories.Place, layer: Int,
    body: (_ history: GateHistory, _ firstRow: Int, _ rows: Range<Int>) -> Void
  ) {
    guard let first = rows.first, let last = rows.last else { return }
    for segment in segment(row: first)...segment(row: last) {
      guard let history = histories(segment: segment)?[place, layer: layer] else { continue }
      let all = self.rows(segment: segment)
      body(history, all.lowerBound, all.clamped(to: rows))
    }
  }
}
