import Foundation
import Kernels

extension Gate {
  /// The first step of a smoothed choice: the plain probabilities of `rows` into the history. Row
  /// `firstRow` of the input is the first after what the history has. Workers call it at once for
  /// disjoint rows of one sequence; a barrier must follow. The history has room.
  package func remember(
    _ input: UnsafePointer<Float>, stride: Int, rows: Range<Int>, firstRow: Int,
    keys: (Int) -> GateKey, history: GateHistory, into choices: GateChoices
  ) {
    score(input, stride: stride, rows: rows, experts: 0..<expertCount, keys: keys, into: choices)
    for row in rows {
      let position = history.count + row - firstRow
      let scratch = choices.scratch(row: row)
      probabilities(scratch)
      history.probabilities(position).update(from: scratch.probabilities, count: expertCount)
      history.input(position)?.update(from: input + row * stride, count: width)
    }
  }

  /// The second step: smooths over the tokens up to each row, and chooses. `attention` is needed
  /// for that similarity only: a row of weights a row of the input, over the positions from 0 to
  /// its own. // (rows of the sequence in this pass, attentionStride)
  package func choose(
    rows: Range<Int>, firstRow: Int, attention: UnsafePointer<Float>? = nil,
    attentionStride: Int = 0, keys: (Int) -> GateKey, history: GateHistory,
    into choices: GateChoices
  ) {
    checkFit(rows: rows, choices)
    for row in rows {
      let position = history.count + row - firstRow
      let scratch = choices.scratch(row: row)
      smooth(
        scratch, position: position,
        attention: attention.map { $0 + (row - firstRow) * attentionStride }, history: history)
      finish(scratch, key: keys(row))
    }
  }

  /// `row.probabilities` become (1 - mix) P + mix S P, with one pass over the tokens: the softmax
  /// keeps its sum under the largest similarity so far.
  private func smooth(
    _ row: GateChoices.RowScratch, position: Int, attention: UnsafePointer<Float>?,
    history: GateHistory
  ) {
    guard let smoothing else { return }
    let own = history.probabilities(position)
    let result = row.probabilities
    guard smoothing.mix > 0 else {
      result.update(from: own, count: expertCount)
      return
    }
    result.update(repeating: 0, count: expertCount)
    var sum: Float = 0
    if let attention, smoothing.similarity == .attention {
      for past in 0...position {
        add(history, past, times: attention[past], to: result)
      }
      sum = 1
    } else if let x = history.input(position) {
      let length = norm(x)
      var largest = -Float.infinity
      for past in 0...position {
        guard let other = history.input(past) else { continue }
        let similarity = similarity(smoothing, x, length: length, other)
        // A row with a NaN weighs nothing, and sees itself alone.
        guard similarity.isFinite else { continue }
        if similarity > largest {
          let factor = exp(largest - similarity)
          VectorOperations.scale(result, by: factor, count: expertCount)
          sum *= factor
          largest = similarity
        }
        let weight = exp(similarity - largest)
        sum += weight
        add(history, past, times: weight, to: result)
      }
    }
    guard sum > 0 else {
      result.update(from: own, count: expertCount)
      return
    }
    VectorOperations.scale(result, by: smoothing.mix / sum, count: expertCount)
    VectorOperations.add(own, times: 1 - smoothing.mix, to: result, count: expertCount)
  }

  private func similarity(
    _ smoothing: GateSmoothing, _ x: UnsafePointer<Float>, length: Float,
    _ other: UnsafePointer<Float>
  ) -> Float {
    let dot = Float(VectorOperations.dot(x, other, count: width))
    return switch smoothing.similarity {
    case .cosine(let temperature):
      dot == 0 ? 0 : dot / (length * norm(other)) / temperature
    case .dot(let factor): dot * factor
    case .attention: -.infinity
    }
  }

  private func norm(_ x: UnsafePointer<Float>) -> Float {
    Float(VectorOperations.dot(x, x, count: width)).squareRoot()
  }

  private func add(
    _ history: GateHistory, _ position: Int, times factor: Float,
    to result: UnsafeMutablePointer<Float>
  ) {
    VectorOperations.add(
      history.probabilities(position), times: factor, to: result, count: expertCount)
  }
}
