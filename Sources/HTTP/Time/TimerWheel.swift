/// Deadlines of many connections at a constant cost each: a ring of slots, one for each span of
/// 16 ms. A token in a slot means "look at this connection then"; whether its deadline has really
/// come, or has moved on since, is for the caller to see. So a deadline that moves back, as nearly
/// all do, costs nothing until its slot comes around.
package struct TimerWheel {
  /// Nanoseconds of a tick, as a shift.
  private static let tickShift: UInt64 = 24
  private static let slotCount: UInt64 = 1024

  private var slots: [[UInt64]] = Array(repeating: [], count: Int(slotCount))
  /// Every slot up to this tick is empty.
  package private(set) var current: UInt64
  /// No token waits in a slot before this tick; nil where none waits at all.
  private var earliest: UInt64?

  package init(now: MonotonicInstant) {
    current = now.nanoseconds >> Self.tickShift
  }

  /// The tick at which `deadline` would be looked at: just after it, or earlier where it lies
  /// beyond the ring.
  package func tick(of deadline: MonotonicInstant) -> UInt64 {
    let tick = (deadline.nanoseconds >> Self.tickShift) &+ 1
    return min(max(tick, current + 1), current + Self.slotCount - 1)
  }

  /// Puts `token` at a tick from ``tick(of:)``.
  package mutating func schedule(_ token: UInt64, atTick tick: UInt64) {
    slots[Int(tick % Self.slotCount)].append(token)
    earliest = min(earliest ?? tick, tick)
  }

  /// When the next token comes up, if any waits.
  package var next: MonotonicInstant? {
    earliest.map { MonotonicInstant(nanoseconds: $0 << Self.tickShift) }
  }

  /// Takes out the tokens whose ticks have come.
  package mutating func expire(now: MonotonicInstant) -> [UInt64] {
    let tick = now.nanoseconds >> Self.tickShift
    guard tick > current else { return [] }
    guard let first = earliest, first <= tick else {
      current = tick
      return []
    }
    var due: [UInt64] = []
    let last = min(tick, first + Self.slotCount - 1)
    for passed in first...last {
      let slot = Int(passed % Self.slotCount)
      guard !slots[slot].isEmpty else { continue }
      due += slots[slot]
      slots[slot] = []
    }
    current = tick
    let following = (tick + 1)..<(tick + Self.slotCount)
    earliest = following.first { !slots[Int($0 % Self.slotCount)].isEmpty }
    return due
  }
}
