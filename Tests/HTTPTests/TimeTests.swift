import HTTP
import Testing

@Suite struct TimeTests {
  private let start = MonotonicInstant(nanoseconds: 5_000_000_000)

  @Test func timersComeUpAfterTheirDeadlineAndOnce() {
    var wheel = TimerWheel(now: start)
    let deadline = start.advanced(by: .seconds(3))
    wheel.schedule(42, atTick: wheel.tick(of: deadline))
    let early = wheel.expire(now: start.advanced(by: .milliseconds(2990)))
    #expect(early == [])
    #expect(wheel.next.map { $0 > deadline } == true)
    let due = wheel.expire(now: start.advanced(by: .milliseconds(3040)))
    #expect(due == [42])
    #expect(wheel.next == nil)
    let late = wheel.expire(now: start.advanced(by: .seconds(100)))
    #expect(late == [])
  }

  /// Deadlines beyond the ring come up early, and are put back by their owner until it is time.
  @Test func everyDeadlineIsMetInRandomOrder() {
    var random = SplitMix(seed: 1)
    var wheel = TimerWheel(now: start)
    var deadlines: [UInt64: MonotonicInstant] = [:]
    for token in UInt64(0)..<500 {
      let after = Duration.milliseconds(Int.random(in: 0...90_000, using: &random))
      deadlines[token] = start.advanced(by: after)
      wheel.schedule(token, atTick: wheel.tick(of: start.advanced(by: after)))
    }
    var now = start
    var steps = 0
    while let next = wheel.next, steps < 10_000 {
      steps += 1
      now = max(next, now.advanced(by: .milliseconds(Int.random(in: 0...40, using: &random))))
      for token in wheel.expire(now: now) {
        guard let deadline = deadlines[token] else { continue }
        if deadline <= now {
          #expect(now < deadline.advanced(by: .milliseconds(100)))
          deadlines[token] = nil
        } else {
          wheel.schedule(token, atTick: wheel.tick(of: deadline))
        }
      }
    }
    #expect(deadlines.isEmpty)
  }

  @Test func datesAreWrittenAsHTTPWantsThem() {
    let line = String(decoding: DateHeader.line(secondsSinceEpoch: 784_111_777), as: UTF8.self)
    #expect(line == "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
  }

  @Test func theFarFutureDoesNotOverflow() {
    #expect(start.advanced(by: .seconds(Int64.max)).nanoseconds == .max)
    #expect(start.advanced(by: .seconds(-1)) == start)
  }
}
