/// What a request asks of the gates of its model and adapter. A model without gates has no use for a
/// seed, and refuses the rest.
package struct GateRequest: Sendable, Hashable {
  /// Of random gates: the same seed gives the same experts, whatever else is in the batch.
  package var seed: UInt64
  /// Experts a token, where the gate leaves that open; nil for the gate's own number.
  package var expertsK: Int?
  /// The task whose row gates with tasks use; nil for the uniform row.
  package var task: Int?

  package init(seed: UInt64 = 0, expertsK: Int? = nil, task: Int? = nil) {
    self.seed = seed
    self.expertsK = expertsK
    self.task = task
  }
}

extension [Gate] {
  /// Whether a request may ask this of a model with these gates, those of its adapter among them;
  /// throws what it may not. A task must be one of every gate that has tasks, and of one at least.
  package func validate(_ request: GateRequest) throws(ModelError) {
    if isEmpty, let expertsK = request.expertsK {
      throw .invalidValue(
        key: "experts_k", value: "\(expertsK)", expected: "none: this model has no experts")
    }
    if let task = request.task, !contains(where: { $0.tasks != nil }) {
      throw .invalidValue(
        key: "task", value: "\(task)", expected: "none: no gate of this model has tasks")
    }
    for gate in self {
      try gate.validate(
        expertsK: request.expertsK, task: gate.tasks == nil ? nil : request.task)
    }
  }
}
