/// What a request asks of the model's token-level gates. Models without gates ignore it.
package struct GateRequest: Sendable, Hashable {
  /// Of random gates: the same seed gives the same experts, whatever else is in the batch.
  package var seed: UInt64
  /// Experts a token, where the gate leaves that open; nil for the gate's own number.
  package var expertsK: Int?
  /// The task whose row a gate with tasks uses.
  package var task: Int?

  package init(seed: UInt64 = 0, expertsK: Int? = nil, task: Int? = nil) {
    self.seed = seed
    self.expertsK = expertsK
    self.task = task
  }
}

extension [Gate] {
  /// Whether a request may ask this of a model with these gates; throws what it may not.
  package func validate(_ request: GateRequest) throws(ModelError) {
    if isEmpty, let expertsK = request.expertsK {
      throw .invalidValue(
        key: "experts_k", value: "\(expertsK)", expected: "none: this model has no experts")
    }
    for gate in self { try gate.validate(expertsK: request.expertsK, task: request.task) }
  }
}
