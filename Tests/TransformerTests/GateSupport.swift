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
