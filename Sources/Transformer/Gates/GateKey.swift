/// What a gate knows of a row besides its numbers: whose it is, and where it stands.
package struct GateKey: Sendable, Equatable {
  /// The request's seed, for random gates.
  package var seed: UInt64
  package var layer: Int
  /// The token's position in its sequence.
  package var position: Int
  /// How many experts the request wants: the k of a top-k gate, a limit for the others. `choose`
  /// takes the nearest that the gate can give.
  package var expertsK: Int?
  /// The request's task, for gates with a row a task.
  package var task: Int?
  /// Whether the row goes to the bypass expert, where the gate has one.
  package var isMarked: Bool

  package init(
    seed: UInt64 = 0, layer: Int = 0, position: Int = 0, expertsK: Int? = nil, task: Int? = nil,
    isMarked: Bool = false
  ) {
    self.seed = seed
    self.layer = layer
    self.position = position
    self.expertsK = expertsK
    self.task = task
    self.isMarked = isMarked
  }
}
