import Foundation
import Kernels
import Testing
import Transformer

/// What a gate gave one row.
struct GateChoice: Equatable {
  var ids: [Int32]
  var weights: [Float]
}

extension FloatBuffer {
  /// A buffer with these rows, all of one length.
  convenience init(_ rows: [[Float]]) throws {
    try self.init(rows: rows.count, width: rows.first?.count ?? 0)
    for (index, values) in rows.enumerated() {
      for (column, value) in values.enumerated() { self[index, column] = value }
    }
  }

  /// Ones on the diagonal: a linear gate with it has the row itself as its logits.
  static func identity(_ width: Int) throws -> FloatBuffer {
    let buffer = try FloatBuffer(rows: width, width: width)
    for index in 0..<width { buffer[index, index] = 1 }
    return buffer
  }
}

extension Gate {
  /// Chooses for rows in one call.
  func choices(
    _ rows: [[Float]], keys: (Int) -> GateKey = { GateKey(position: $0) }
  ) throws -> [GateChoice] {
    let input = try FloatBuffer(rows)
    let choices = try GateChoices(maxRows: rows.count, expertCount: totalExperts)
    choose(input.pointer, stride: input.width, rows: 0..<rows.count, keys: keys, into: choices)
    return rows.indices.map { choices.choice(row: $0) }
  }

  /// A gate whose input rows are the logits.
  static func ofLogits(
    _ expertCount: Int, probability: Probability = .softmax, selection: Selection,
    selectionBias: [Float]? = nil, weighting: Weighting = .raw, scale: Float = 1,
    maximumK: Int? = nil, sharedExperts: Int = 0, hasBypassExpert: Bool = false
  ) throws -> Gate {
    try Gate(
      expertCount: expertCount, width: expertCount,
      scores: .linear(weight: .identity(expertCount)), probability: probability,
      selection: selection, selectionBias: selectionBias, weighting: weighting, scale: scale,
      maximumK: maximumK, sharedExperts: sharedExperts, hasBypassExpert: hasBypassExpert)
  }
}

extension GateChoices {
  func choice(row: Int) -> GateChoice {
    GateChoice(ids: Array(ids(row: row)), weights: Array(weights(row: row)))
  }
}

extension [Float] {
  /// The logits whose softmax these are.
  var logarithms: [Float] { map { log($0) } }
}

extension Gate {
  /// Smoothed choices of one sequence, in passes of `chunk` rows; all at once where it is nil.
  func smoothedChoices(
    _ rows: [[Float]], attention: [[Float]]? = nil, chunk: Int? = nil,
    history: GateHistory? = nil
  ) throws -> [GateChoice] {
    let history = history ?? GateHistory(gate: self)
    let input = try FloatBuffer(rows)
    let weights = try attention.map { try FloatBuffer($0) }
    let choices = try GateChoices(maxRows: rows.count, expertCount: totalExperts)
    let key = { (row: Int) in GateKey(position: row) }
    var first = 0
    while first < rows.count {
      let last = min(first + (chunk ?? rows.count), rows.count)
      try history.reserve(positions: history.count + last - first)
      // Each step row by row, last row first: the order of workers must not matter.
      for row in (first..<last).reversed() {
        remember(
          input.pointer, stride: input.width, rows: row..<row + 1, firstRow: first, keys: key,
          history: history, into: choices)
      }
      for row in (first..<last).reversed() {
        choose(
          rows: row..<row + 1, firstRow: first,
          attention: weights.map { UnsafePointer($0.row(first)) },
          attentionStride: weights?.width ?? 0, keys: key, history: history, into: choices)
      }
      history.commit(last - first)
      first = last
    }
    return rows.indices.map { choices.choice(row: $0) }
  }
}

/// Rows of normal-looking numbers that are the same on every machine.
func noise(_ count: Int, width: Int, seed: UInt64) -> [[Float]] {
  var state = seed
  func next() -> Float {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Float(state >> 40) / Float(1 << 23) - 1
  }
  return (0..<count).map { _ in (0..<width).map { _ in next() + next() + next() } }
}
