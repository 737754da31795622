import Foundation
import Synchronization

/// Makes ids of decisions: UUID version 7, so that they sort by time as text.
///
/// Within one generator ids strictly rise, also within a millisecond and when the clock steps back.
package final class DecisionIDGenerator: Sendable {
  private let last = Mutex<(milliseconds: UInt64, counter: UInt64)>((0, 0))

  package init() {}

  /// The next id for the given time.
  package func next(at date: Date = Date()) -> String {
    let seconds = date.timeIntervalSince1970
    let now = seconds.isFinite ? UInt64(min(max(0, seconds * 1000), 2.8e14)) : 0
    let (milliseconds, counter) = last.withLock { last -> (UInt64, UInt64) in
      if now > last.milliseconds {
        // Start low, so that the counter has room to rise within this millisecond.
        last = (now, UInt64.random(in: 0..<1024))
      } else if last.counter < 4095 {
        last.counter += 1
      } else {
        last = (last.milliseconds + 1, 0)
      }
      return last
    }
    let high = milliseconds << 16 | 0x7000 | counter
    let low = 0x8000_0000_0000_0000 | (UInt64.random(in: .min ... .max) >> 2)
    let digits = hex(high) + hex(low)
    let parts = [8, 4, 4, 4, 12]
    var rest = digits[...]
    return parts.map { length in
      defer { rest = rest.dropFirst(length) }
      return String(rest.prefix(length))
    }.joined(separator: "-")
  }

  private func hex(_ value: UInt64) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}
