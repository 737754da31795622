import Foundation
import Generation

/// Holds the model's thread up until a test lets it go on.
final class Gate: @unchecked Sendable {
  // Unchecked: all state is behind `condition`.
  private let condition = NSCondition()
  private var reached = false
  private var opened = false

  var isReached: Bool { condition.withLock { reached } }

  func open() {
    condition.withLock {
      opened = true
      condition.broadcast()
    }
  }

  func pass() {
    condition.withLock {
      reached = true
      while !opened { condition.wait() }
    }
  }
}

/// Text whose fourth token waits at the gate.
struct GatedText: TokenTextDecoder {
  let gate: Gate
  private var count = 0

  init(gate: Gate) { self.gate = gate }

  mutating func append(_ token: Int32) -> String {
    count += 1
    if count == 4 { gate.pass() }
    return "x"
  }

  mutating func finish() -> String { "" }
}
