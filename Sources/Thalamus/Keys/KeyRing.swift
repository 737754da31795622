import Foundation
import Logging
import Routing
import Synchronization

/// The keys that a running server knows by name. A file that is added to their folder, or taken away, counts within a
/// second: who takes a key away does not want to wait for it.
package final class KeyRing: Sendable {
  private struct State {
    var keys: [String: APIKey] = [:]
    var asksForKeys = false
    var changeTime: Date?
    var nextLook = ContinuousClock.now
  }

  private let folder: KeyFolder?
  private let logger: Logger
  private let state: Mutex<State>
  /// How long the folder is not looked at again.
  private let pause: Duration

  /// Reads the folder's keys.
  ///
  /// - Throws: Where it can't be read; a server that can't tell who may come must not start.
  package init(
    folder: KeyFolder?, logger: Logger, pause: Duration = .seconds(1)
  ) throws(ConfigurationError) {
    self.folder = folder
    self.logger = logger
    self.pause = pause
    var state = State()
    if let folder {
      state.changeTime = folder.changeTime
      Self.take(try folder.read(), into: &state, logger)
    }
    state.nextLook = .now + pause
    self.state = Mutex(state)
  }

  /// Whether there are such keys, or were since the start: the last one's going opens the server to nobody.
  package var asksForKeys: Bool {
    look()
    return state.withLock(\.asksForKeys)
  }

  /// In the order of their names.
  package var keys: [APIKey] {
    look()
    return state.withLock { $0.keys.values.sorted { $0.name < $1.name } }
  }

  /// Whose key this is; nil where it is nobody's.
  ///
  /// Digests are compared, not keys: what the comparison's time might tell of them tells nothing of the key.
  package func key(_ sent: [UInt8]) -> APIKey? {
    look()
    let digest = SHA256.hex(of: sent)
    return state.withLock { $0.keys[digest] }
  }

  /// Reads the folder again, whatever its time says: a file may have been written over.
  package func reload() {
    guard let folder else { return }
    let changeTime = folder.changeTime
    do throws(ConfigurationError) {
      let contents = try folder.read()
      state.withLock { state in
        state.changeTime = changeTime
        Self.take(contents, into: &state, logger)
      }
    } catch {
      logger.error("the keys stay as they are: \(error)")
    }
  }

  private func look() {
    guard let folder else { return }
    let isTime = state.withLock { state in
      guard state.nextLook <= .now else { return false }
      state.nextLook = .now + pause
      return true
    }
    if isTime, folder.changeTime != state.withLock(\.changeTime) { reload() }
  }

  private static func take(
    _ contents: KeyFolder.Contents, into state: inout State, _ logger: Logger
  ) {
    for problem in contents.problems { logger.error("a key is left out: \(problem)") }
    let before = Set(state.keys.values.map(\.name))
    state.keys = Dictionary(contents.keys.map { ($0.sha256, $0) }) { first, _ in first }
    let now = Set(contents.keys.map(\.name))
    if now != before {
      logger.info("keys: \(now.isEmpty ? "none" : now.sorted().joined(separator: ", "))")
    }
    if !contents.isEmpty { state.asksForKeys = true }
  }
}
