import Kernels

extension LowRankPair {
  /// The average of the experts' parameters, taken before the product (Polytropon, MHR):
  /// A = sum w A_e, B = sum w B_e. That is not the average of their results.
  ///
  /// With several splits, each block of A's inputs and of B's outputs has weights of its own
  /// (MHR); one split is Polytropon. The scale is the experts' own, so all must have the same
  /// shape, but not the same scale. // weights (splits, experts)
  package static func averaged(
    _ experts: [LowRankPair], weights: [[Float]]
  ) throws(ModelError) -> LowRankPair {
    let first = try checkShapes(experts)
    guard !weights.isEmpty, first.inputs.isMultiple(of: weights.count),
      first.outputs.isMultiple(of: weights.count)
    else {
      throw .invalidValue(
        key: "splits", value: "\(weights.count)",
        expected: "a divisor of \(first.inputs) inputs and \(first.outputs) outputs")
    }
    let down = try buffer(rows: first.rank, width: first.inputs)
    let up = try buffer(rows: first.rank, width: first.outputs)
    let inputs = first.inputs / weights.count
    let outputs = first.outputs / weights.count
    for (split, row) in weights.enumerated() {
      try check(row, count: experts.count)
      for (expert, weight) in zip(experts, row) {
        for index in 0..<first.rank {
          VectorOperations.add(
            expert.down.row(index) + split * inputs, times: weight,
            to: down.row(index) + split * inputs, count: inputs)
          VectorOperations.add(
            expert.up.row(index) + split * outputs, times: weight * expert.scale,
            to: up.row(index) + split * outputs, count: outputs)
        }
      }
    }
    return try LowRankPair(down: down, up: up, scale: 1)
  }

  /// One pair with the result of all the experts' results, weighted (MoDE): the ranks one below
  /// the other. Exact, and still of low rank. The ranks may differ.
  package static func fused(
    _ experts: [LowRankPair], weights: [Float]
  ) throws(ModelError) -> LowRankPair {
    guard let first = experts.first else { throw noExperts }
    try check(weights, count: experts.count)
    for expert in experts { try checkWidths(expert, as: first) }
    let rank = experts.reduce(0) { $0 + $1.rank }
    let down = try buffer(rows: rank, width: first.inputs)
    let up = try buffer(rows: rank, width: first.outputs)
    var row = 0
    for (expert, weight) in zip(experts, weights) {
      for index in 0..<expert.rank {
        down.row(row).update(from: expert.down.row(index), count: first.inputs)
        VectorOperations.add(
          expert.up.row(index), times: weight * expert.scale, to: up.row(row),
          count: first.outputs)
        row += 1
      }
    }
    return try LowRankPair(down: down, up: up, scale: 1)
  }

  private static func checkShapes(_ experts: [LowRankPair]) throws(ModelError) -> LowRankPair {
    guard let first = experts.first else { throw noExperts }
    for expert in experts {
      try checkWidths(expert, as: first)
      guard expert.rank == first.rank else {
        throw .wrongShape(
          tensor: "low-rank A", shape: [expert.rank, expert.inputs],
          expected: [first.rank, first.inputs])
      }
    }
    return first
  }

  private static func checkWidths(
    _ expert: LowRankPair, as first: LowRankPair
  ) throws(ModelError) {
    guard expert.inputs == first.inputs, expert.outputs == first.outputs else {
      throw .wrongShape(
        tensor: "low-rank expert (outputs, inputs)", shape: [expert.outputs, expert.inputs],
        expected: [first.outputs, first.inputs])
    }
  }

  private static func check(_ weights: [Float], count: Int) throws(ModelError) {
    guard weights.count == count, weights.allSatisfy(\.isFinite) else {
      throw .invalidValue(
        key: "weights", value: "\(weights.count) numbers", expected: "\(count) finite ones")
    }
  }

  private static func buffer(rows: Int, width: Int) throws(ModelError) -> FloatBuffer {
    do {
      return try FloatBuffer(rows: rows, width: width)
    } catch {
      throw ModelError.outOfMemory(
        bytes: rows.multipliedReportingOverflow(by: width * 4).partialValue)
    }
  }

  private static var noExperts: ModelError {
    .invalidValue(key: "experts", value: "none", expected: "one or more")
  }
}
