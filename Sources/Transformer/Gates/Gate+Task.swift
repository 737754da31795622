import Kernels

extension Gate {
  /// Whether what it chooses depends on the request alone, so that experts can be merged before
  /// the pass.
  package var isKnownBeforePass: Bool { scores == .perTask && !hasBypassExpert }

  /// The weight of each expert for a task, 0 for those that are not chosen: what experts are merged
  /// with. Nil is the uniform row (MHR-mu), of which a top-k gate takes the first. // (experts)
  package func weights(task: Int?, expertsK: Int? = nil) throws(ModelError) -> [Float] {
    guard isKnownBeforePass else {
      throw .unsupported(key: "gate.scores", value: "weights of a task from a token's gate")
    }
    try validate(expertsK: expertsK, task: task)
    let choices: GateChoices
    do {
      choices = try GateChoices(maxRows: 1, expertCount: totalExperts)
    } catch {
      throw ModelError.outOfMemory(bytes: totalExperts * 16)
    }
    var nothing: Float = 0
    choose(
      &nothing, stride: 0, rows: 0..<1,
      keys: { _ in GateKey(expertsK: expertsK, task: task) }, into: choices)
    var weights = [Float](repeating: 0, count: totalExperts)
    for (id, weight) in zip(choices.ids(row: 0), choices.weights(row: 0)) {
      weights[Int(id)] = weight
    }
    return weights
  }
}
