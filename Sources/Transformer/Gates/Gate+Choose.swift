import Kernels

extension Gate {
  /// Chooses experts for `rows` of `input`. // (rows, stride), of which `width` are read
  ///
  /// `keys` is asked once a row, or twice. Workers may call it at once for disjoint rows. Nothing
  /// is allocated. A gate with `smoothing` chooses here as if it had none: `remember` and the
  /// `choose` that takes a history know the tokens before.
  package func choose(
    _ input: UnsafePointer<Float>, stride: Int, rows: Range<Int>, keys: (Int) -> GateKey,
    into choices: GateChoices
  ) {
    score(input, stride: stride, rows: rows, experts: 0..<expertCount, keys: keys, into: choices)
    select(rows: rows, keys: keys, into: choices)
  }

  /// The first half of `choose`: logits of some experts. Where a pass has fewer rows than
  /// workers, they share the experts instead (`worker.range(of: expertCount, multipleOf:
  /// WeightMatrix.outputGroup)`); then a barrier, then `select`.
  package func score(
    _ input: UnsafePointer<Float>, stride: Int, rows: Range<Int>, experts: Range<Int>,
    keys: (Int) -> GateKey, into choices: GateChoices
  ) {
    checkFit(rows: rows, choices)
    precondition(experts.lowerBound >= 0 && experts.upperBound <= expertCount)
    guard !rows.isEmpty, !experts.isEmpty else { return }
    switch scores {
    case .linear, .fixedRandom, .cosine:
      multiply(input, stride: stride, rows: rows, experts: experts, into: choices)
    case .random:
      for row in rows {
        let key = keys(row)
        let layer = UInt64(bitPattern: Int64(key.layer))
        let position = UInt64(bitPattern: Int64(key.position))
        let logits = choices.logits(row: row)
        for expert in experts {
          logits[expert] = CounterGenerator.unit(
            layer, position, UInt64(expert), seed: key.seed)
        }
      }
    case .perTask:
      for row in rows {
        let logits = choices.logits(row: row) + experts.lowerBound
        if let tasks, let task = keys(row).task, task >= 0, task < tasks.rows {
          logits.update(from: tasks.row(task) + experts.lowerBound, count: experts.count)
        } else {
          logits.update(repeating: 0, count: experts.count)
        }
      }
    }
  }

  /// The second half of `choose`, once all logits of `rows` stand.
  package func select(rows: Range<Int>, keys: (Int) -> GateKey, into choices: GateChoices) {
    checkFit(rows: rows, choices)
    for row in rows {
      let scratch = choices.scratch(row: row)
      probabilities(scratch)
      finish(scratch, key: keys(row))
    }
  }

  /// Experts and weights of a row whose probabilities stand.
  func finish(_ row: GateChoices.RowScratch, key: GateKey) {
    var kept = 0
    if hasBypassExpert, key.isMarked {
      row.ids[0] = Int32(truncatingIfNeeded: totalExperts - 1)
      row.weights[0] = 1
      kept = 1
    } else {
      kept = keep(row, expertsK: key.expertsK)
      weigh(row, kept: kept)
    }
    for shared in 0..<sharedExperts {
      row.ids[kept] = Int32(truncatingIfNeeded: expertCount + shared)
      row.weights[kept] = 1
      kept += 1
    }
    row.count.pointee = Int32(truncatingIfNeeded: kept)
  }

  func checkFit(rows: Range<Int>, _ choices: GateChoices) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= choices.maxRows)
    precondition(totalExperts <= choices.expertCount)
  }

  /// Rows that stay in the cache while all of the matrix passes by.
  private static let rowTile = 64

  private func multiply(
    _ input: UnsafePointer<Float>, stride: Int, rows: Range<Int>, experts: Range<Int>,
    into choices: GateChoices
  ) {
    guard let matrix else { return }
    var first = rows.lowerBound
    while first < rows.upperBound {
      let last = min(first + Self.rowTile, rows.upperBound)
      matrix.multiply(
        floats: input + first * stride, stride: stride, rowCount: last - first, outputs: experts,
        into: choices.logits(row: first), stride: choices.stride)
      first = last
    }
    if scores == .cosine {
      for row in rows {
        let x = input + row * stride
        let squares = VectorOperations.dot(x, x, count: width)
        let factor = squares > 0 ? Float(1 / squares.squareRoot()) : 0
        VectorOperations.scale(
          choices.logits(row: row) + experts.lowerBound, by: factor, count: experts.count)
      }
    }
    bias?.withUnsafeBufferPointer { bias in
      for row in rows {
        let logits = choices.logits(row: row)
        for expert in experts { logits[expert] += bias[expert] }
      }
    }
  }
}
