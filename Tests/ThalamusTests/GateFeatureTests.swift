import Synchronization
import Testing
import Thalamus

/// A decision does not wait for a mixture that is busy, nor load a broken one again and again.
@Suite struct GateFeatureTests {
  private struct Broken: Error {}

  /// What the mixture was asked for.
  private final class Events: Sendable {
    private let all = Mutex<[String]>([])
    var list: [String] { all.withLock { $0 } }
    func add(_ event: String) { all.withLock { $0.append(event) } }
  }

  /// A clock that a test sets.
  private final class Clock: Sendable {
    private let time = Mutex(ContinuousClock.now)
    var now: ContinuousClock.Instant { time.withLock { $0 } }
    func advance(_ duration: Duration) { time.withLock { $0 += duration } }
  }

  @Test func whatTheGatesSay() async {
    let feature = GateFeature(expert: "mix", deadline: .seconds(600)) {
      { text in Double(text.count) }
    } report: {
      Issue.record("\($0)")
    }
    #expect(await feature.value(of: "four") == 4)
    let plain = GateFeature(expert: "plain", deadline: .seconds(600)) {
      nil
    } report: {
      Issue.record("\($0)")
    }
    #expect(await plain.value(of: "four") == nil)
  }

  /// The mixture's model never gets to the job: without a deadline this would wait for ever.
  @Test func aBusyMixtureIsNotWaitedFor() async {
    let (ends, ended) = AsyncStream.makeStream(of: Void.self)
    let feature = GateFeature(expert: "mix", deadline: .milliseconds(5)) {
      { _ in
        let (never, continuation) = AsyncStream.makeStream(of: Double.self)
        for await _ in never {}
        // A stream ends early for a cancelled task only.
        _ = continuation
        if Task.isCancelled { ended.finish() }
        return 1
      }
    } report: {
      Issue.record("\($0)")
    }
    #expect(await feature.value(of: "x") == nil)
    for await _ in ends {}
  }

  /// Loading can't be cancelled; nor is it waited for.
  @Test func aLoadThatTakesLong() async {
    let (gate, opened) = AsyncStream.makeStream(of: Void.self)
    let (ends, ended) = AsyncStream.makeStream(of: Void.self)
    let events = Events()
    let feature = GateFeature(expert: "mix", deadline: .milliseconds(5)) {
      await Task { for await _ in gate {} }.value
      ended.finish()
      return { _ in
        events.add("measured")
        return 1
      }
    } report: {
      Issue.record("\($0)")
    }
    #expect(await feature.value(of: "x") == nil)
    opened.finish()
    for await _ in ends {}
    #expect(events.list.isEmpty, "the decision has gone on")
  }

  @Test func aFailedLoadIsRememberedForAWhile() async {
    let clock = Clock()
    let events = Events()
    let feature = GateFeature(expert: "mix", deadline: .seconds(600), now: { clock.now }) {
      events.add("load")
      throw Broken()
    } report: { _ in
      events.add("report")
    }
    for _ in 0..<3 { #expect(await feature.value(of: "x") == nil) }
    #expect(events.list == ["load", "report"])
    clock.advance(GateFeature.pauseAfterFailure)
    for _ in 0..<3 { #expect(await feature.value(of: "x") == nil) }
    #expect(events.list == ["load", "report", "load", "report"])
  }

  /// A request that the model refused says nothing of the next.
  @Test func aFailedMeasurementIsNot() async {
    let events = Events()
    let feature = GateFeature(expert: "mix", deadline: .seconds(600)) {
      { text in
        if text == "bad" { throw Broken() }
        return 2
      }
    } report: { _ in
      events.add("report")
    }
    #expect(await feature.value(of: "bad") == nil)
    #expect(await feature.value(of: "good") == 2)
    #expect(events.list == ["report"])
  }
}
