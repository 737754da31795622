import Generation
import Library
import Routing
import Synchronization

/// An expert without a model, which remembers how it was ended.
final class FakeExpert: Expert {
  let card: ExpertCard
  let residentBytes: Int
  private let ends = Mutex<[Bool]>([])
  private let work = Mutex(false)

  init(_ card: ExpertCard, residentBytes: Int = 0) {
    self.card = card
    self.residentBytes = residentBytes
  }

  var isWorking: Bool {
    get { work.withLock { $0 } }
    set { work.withLock { $0 = newValue } }
  }

  /// The `finishing` of each `shutDown`.
  var shutDowns: [Bool] { ends.withLock { $0 } }

  func answer(
    _ input: ExpertInput, parameters: SamplingParameters
  ) async throws -> GenerationStream {
    GenerationStream { $0.finish() }
  }

  func promptTokenCount(_ input: ExpertInput, parameters: SamplingParameters) throws -> Int { 1 }

  func bytes(of token: Int32) -> [UInt8]? { nil }

  func scorePrompt(_ input: ExpertInput, alternatives: Int) async throws -> PromptScores {
    PromptScores(tokens: [], logprobs: [], alternatives: [])
  }

  func loss(prompt: String, answer: String?) async throws -> Double { 1 }

  func shutDown(finishing: Bool) async { ends.withLock { $0.append(finishing) } }
}

/// Counts loads, and holds them up until it is opened.
final class FakeLoader: Sendable {
  private struct State {
    var loads = 0
    var failures = 0
    var isOpen = false
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  private let state: Mutex<State>

  /// - Parameter failures: how many loads fail before one succeeds.
  init(failures: Int = 0, isOpen: Bool = true) {
    state = Mutex(State(failures: failures, isOpen: isOpen))
  }

  var loads: Int { state.withLock { $0.loads } }

  func open() {
    let waiting = state.withLock { state in
      state.isOpen = true
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }

  func load(_ manifest: ExpertManifest) async throws(LibraryError) -> any Expert {
    let fails = state.withLock { state in
      state.loads += 1
      return state.loads <= state.failures
    }
    await withCheckedContinuation { continuation in
      let isOpen = state.withLock { state in
        if !state.isOpen { state.waiting.append(continuation) }
        return state.isOpen
      }
      if isOpen { continuation.resume() }
    }
    if fails { throw .unloadable(expert: manifest.card.id, problem: "broken") }
    return FakeExpert(manifest.card)
  }
}
