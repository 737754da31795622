import Foundation
import Kernels
import Routing
import Synchronization

/// The experts that this server knows. Each is loaded at its first request, once, however many
/// requests ask for it at the time. Where the memory for one more isn't there, the model that was asked longest
/// ago is let go, after it has answered.
package actor ExpertLibrary {
  private nonisolated let contents: Mutex<LibraryContents>
  /// When all of an expert's files were last seen.
  private nonisolated let seen = Mutex<[String: ContinuousClock.Instant]>([:])
  private nonisolated let trust: Duration
  /// How long models take to load, by the folder of their card.
  private nonisolated let loadTimes: LoadTimes
  private let load: @Sendable (ExpertManifest) async throws(LibraryError) -> any Expert
  private let residency: ResidencyOptions
  private var experts: [String: Entry] = [:]
  private var ledger: ModelLedger
  /// Models that are going, in the order of their numbers.
  private var leaving: [Int: Departure] = [:]
  private var departures = 0
  /// Models that were let go, by the id of their expert.
  package private(set) var unloads: [String: Int] = [:]
  private var isShutDown = false

  /// An expert that is loaded or being loaded.
  private final class Entry {
    /// The cards that it was made by.
    let parts: [ExpertManifest]
    /// Folder of the model that it is on; nil for a remote expert.
    let model: String?
    var task: Task<any Expert, any Error>?
    /// What the task gave.
    var expert: (any Expert)?
    /// Requests that begin with it just now, and who waits for there to be none.
    var uses = 0
    var waiters: [CheckedContinuation<Void, Never>] = []

    init(parts: [ExpertManifest], model: String?) {
      self.parts = parts
      self.model = model
    }
  }

  /// A model that is going.
  private struct Departure {
    /// What it still takes.
    let bytes: Int
    /// The experts on it.
    let entries: [Entry]
    var task: Task<Void, Never>?
  }

  /// - Parameters:
  ///   - problems: Of experts whose cards can't be used.
  ///   - trust: How long files that were there are taken to be. To look for those of eleven experts is a tenth of a
  ///     millisecond of each decision.
  ///   - residency: How long, and in how much memory, experts stay loaded.
  ///   - load: makes an expert from its manifest; off the cooperative threads. Remote ones need none.
  package init(
    manifests: [ExpertManifest], problems: [String: LibraryError] = [:], trust: Duration = .zero,
    residency: ResidencyOptions = ResidencyOptions(),
    load: @escaping @Sendable (ExpertManifest) async throws(LibraryError) -> any Expert
  ) {
    contents = Mutex(LibraryContents(manifests, problems, after: nil))
    self.trust = trust
    loadTimes = LoadTimes(manifests)
    self.residency = residency
    ledger = ModelLedger(limit: residency.memoryBytes)
    self.load = load
  }

  /// Reads the cards in a models folder, where all of them have to be in order; see ``LibraryCards``.
  package static func manifests(in directory: String) throws(LibraryError) -> [ExpertManifest] {
    let cards = try LibraryCards(directory: directory)
    if let first = cards.problems.min(by: { $0.key < $1.key }) { throw first.value }
    return cards.manifests
  }

  private nonisolated var current: LibraryContents { contents.withLock { $0 } }

  /// In the order of their ids.
  package nonisolated var manifests: [ExpertManifest] { current.manifests }

  package nonisolated var ids: [String] { manifests.map(\.card.id) }

  /// Why others can't be used, in a line, by their ids.
  package nonisolated var unusable: [String: String] { current.unusable }

  package nonisolated func manifest(_ id: String) throws(LibraryError) -> ExpertManifest {
    let contents = current
    if let found = contents.manifest(id) { return found }
    if let problem = contents.unusable[id] { throw .unloadable(expert: id, problem: problem) }
    throw .unknownExpert(id: id, known: contents.manifests.map(\.card.id))
  }

  /// Why an expert cannot answer now; nil where it can.
  package nonisolated func obstacle(to manifest: ExpertManifest) -> String? {
    let id = manifest.card.id
    let time = ContinuousClock.now
    let contents = current
    if let problem = contents.remote.obstacle(to: id) { return problem }
    if let seen = seen.withLock({ $0[id] }), time < seen + trust { return nil }
    let obstacle =
      (manifest.endpoint?.keyProblem == nil ? nil : RemoteExpert.noKey)
      ?? contents.missingFile(of: manifest).map { "\($0) is missing; `make models` fetches it" }
    seen.withLock { $0[id] = obstacle == nil ? time : nil }
    return obstacle
  }

  // MARK: - Loading

  /// The expert, loaded if it was not. It may be let go at any time: `use` is for whoever asks it something.
  package func expert(_ id: String) async throws -> any Expert {
    try await value(of: entry(id))
  }

  /// Asks an expert something, loaded if it was not. It is not let go before `body` has returned, and an answer that
  /// was begun in it is finished first.
  package func use<Result: Sendable>(
    _ id: String, _ body: @Sendable (any Expert) async throws -> Result
  ) async throws -> Result {
    let entry = try entry(id)
    entry.uses += 1
    defer { endUse(entry) }
    return try await body(try await value(of: entry))
  }

  private func value(of entry: Entry) async throws -> any Expert {
    if let expert = entry.expert { return expert }
    guard let task = entry.task else { throw CancellationError() }
    return try await task.value
  }

  /// How long an answer of an expert would wait for its model to be loaded, as far as is known: 0 where it is.
  package nonisolated func loadMilliseconds(of id: String) -> Double {
    loadTimes.milliseconds(of: id)
  }

  /// What is loaded or being loaded of an expert; begins to load it where that is nothing.
  private func entry(_ id: String) throws -> Entry {
    let manifest = try manifest(id)
    let contents = current
    if let known = experts[id] {
      if let model = known.model { ledger.noteUse(model, now: .now) }
      return known
    }
    guard !isShutDown else {
      throw LibraryError.unloadable(expert: id, problem: "the server is shutting down")
    }
    if let path = contents.missingFile(of: manifest) {
      throw LibraryError.missingFile(expert: id, path: path)
    }
    let entry = Entry(
      parts: contents.parts(manifest),
      model: manifest.endpoint == nil ? manifest.modelFolder : nil)
    experts[id] = entry
    if let model = entry.model, !ledger.contains(model) {
      ledger.add(
        model,
        expectedBytes: entry.parts.reduce(0) { $0 + ($1.canBeBase ? $1.weightFileBytes : 0) },
        isKept: residency.kept.contains { (try? self.manifest($0).modelFolder) == model },
        now: .now)
    }
    entry.task = Task {
      do {
        let expert = try await make(manifest, contents)
        entry.expert = expert
        // Of a model that is going meanwhile, the ledger has the next one.
        if let model = entry.model, experts[id] === entry { ledger.noteLoaded(model) }
        return expert
      } catch {
        // The next request tries again: the file may have been mended.
        forget(entry, id)
        throw error
      }
    }
    return entry
  }

  private func make(
    _ manifest: ExpertManifest, _ contents: LibraryContents
  ) async throws -> any Expert {
    if let endpoint = manifest.endpoint { return try contents.remote.expert(manifest, endpoint) }
    await makeRoom(for: manifest.modelFolder)
    let start = ContinuousClock.now
    let expert = try await load(manifest)
    loadTimes.noteLoaded(manifest.modelFolder, in: start.duration(to: .now))
    return expert
  }

  private func forget(_ entry: Entry, _ id: String) {
    guard experts[id] === entry else { return }
    experts[id] = nil
    if let model = entry.model, !experts.values.contains(where: { $0.model == model }) {
      ledger.remove(model)
    }
  }

  private func endUse(_ entry: Entry) {
    entry.uses -= 1
    if let model = entry.model { ledger.noteUse(model, now: .now) }
    guard entry.uses == 0 else { return }
    let waiters = entry.waiters
    entry.waiters = []
    for waiter in waiters { waiter.resume() }
  }

  /// Ids of the experts that are loaded or being loaded.
  package var resident: Set<String> { Set(experts.keys) }

  /// Whether somebody begins with an expert just now.
  package func isInUse(_ id: String) -> Bool { experts[id].map { $0.uses > 0 } ?? false }

  /// Bytes that the model takes that an expert is on, by the expert's id: of those that are loaded in this process.
  package var residentBytes: [String: Int] {
    experts.filter { $0.value.model != nil }.compactMapValues(\.expert?.residentBytes)
  }

  /// How their models hold keys and values, by the expert's id: of those that are loaded in this process.
  package var keyValueTypes: [String: String] {
    experts.compactMapValues { $0.expert?.keyValueType?.rawValue }
  }

  // MARK: - Letting go

  private func residentBytes(ofModel folder: String) -> Int {
    experts.values.lazy.filter { $0.model == folder }.compactMap(\.expert?.residentBytes).first ?? 0
  }

  private func isWorking(_ folder: String) -> Bool {
    experts.values.contains {
      $0.model == folder && ($0.uses > 0 || $0.expert?.isWorking ?? false)
    }
  }

  /// Lets models go until there is room for this one, or nothing is left that could go.
  private func makeRoom(for folder: String) async {
    while !isShutDown {
      let step = ledger.step(
        for: folder, leavingBytes: leaving.values.reduce(0) { $0 + $1.bytes },
        bytes: residentBytes(ofModel:), isWorking: isWorking)
      switch step {
      case .load: return
      case .unload(let victim):
        await letGo(victim, "to make room for \(URL(filePath: folder).lastPathComponent)")?.value
      case .waitForLeaving:
        guard let task = leaving.values.first?.task else { return }
        await task.value
      case .waitForLoading(let other):
        let entry = experts.values.first { $0.model == other && $0.expert == nil }
        // Whether it could be loaded or not: the world is another then.
        guard let task = entry?.task else { return }
        _ = await task.result
      }
    }
  }

  /// Takes a model from those that can be asked, and ends it when it has answered.
  /// - Returns: What ends it; nil where it isn't loaded.
  @discardableResult
  private func letGo(_ folder: String, _ why: String) -> Task<Void, Never>? {
    guard ledger.isLoaded(folder) else { return nil }
    let name = URL(filePath: folder).lastPathComponent
    unloads[name, default: 0] += 1
    residency.report("\(name) is let go \(why)")
    return part(with: experts.filter { $0.value.model == folder }, on: folder)
  }

  /// Takes experts on a model from those that can be asked, and ends them when they have answered; the model too, where
  /// those are all that are on it.
  private func part(with gone: [String: Entry], on folder: String) -> Task<Void, Never> {
    var bytes = 0
    if experts.values.allSatisfy({ entry in
      entry.model != folder || gone.values.contains { $0 === entry }
    }) {
      bytes = residentBytes(ofModel: folder)
      ledger.remove(folder)
      loadTimes.noteLetGo(folder)
    }
    for id in gone.keys { experts[id] = nil }
    departures += 1
    let number = departures
    leaving[number] = Departure(bytes: bytes, entries: Array(gone.values))
    let task = Task {
      await end(number)
      SystemMemory.giveBack()
    }
    leaving[number]?.task = task
    return task
  }

  private func end(_ departure: Int) async {
    for entry in leaving[departure]?.entries ?? [] {
      if entry.uses > 0 { await withCheckedContinuation { entry.waiters.append($0) } }
      if let expert = try? await value(of: entry) { await expert.shutDown(finishing: true) }
    }
    leaving[departure] = nil
  }

  /// Lets the model go that an expert is on, with all experts on it; they are loaded again when they are asked.
  /// Doesn't wait for the answers that it finishes first.
  package func unload(_ id: String) throws {
    _ = try manifest(id)
    if let folder = experts[id]?.model { letGo(folder, "as was asked for") }
  }

  /// Lets models go that nobody has asked for as long as the options say.
  package func unloadUnused(now: ContinuousClock.Instant = .now) {
    guard let limit = residency.unloadAfter else { return }
    for folder in ledger.unused(since: now - limit) where !isWorking(folder) {
      letGo(folder, "since nobody asked for it for \(limit.components.seconds) s")
    }
  }

  // MARK: - Other cards

  /// What a change of the cards came to.
  package struct Changes: Sendable, Equatable {
    package let added: [String]
    package let removed: [String]
    package let changed: [String]

    package var isEmpty: Bool { added.isEmpty && removed.isEmpty && changed.isEmpty }
  }

  /// Takes other cards in place of those that it has. Experts whose cards, or whose bases' cards, are others now are let
  /// go of, and loaded anew at their next request; what such an expert is answering goes on to its end.
  package func replace(_ cards: LibraryCards) -> Changes {
    let (old, new) = contents.withLock { contents in
      let old = contents
      contents = LibraryContents(cards.manifests, cards.problems, after: old)
      return (old, contents)
    }
    seen.withLock { $0 = [:] }
    loadTimes.take(cards.manifests)
    let stale = experts.filter { id, entry in new.manifest(id).map(new.parts) != entry.parts }
    for (folder, entries) in Dictionary(grouping: stale, by: \.value.model) {
      guard let folder else {
        for (id, _) in entries { experts[id] = nil }
        continue
      }
      _ = part(with: Dictionary(uniqueKeysWithValues: entries), on: folder)
    }
    let ids = (old: Set(old.manifests.map(\.card.id)), new: Set(new.manifests.map(\.card.id)))
    return Changes(
      added: ids.new.subtracting(ids.old).sorted(),
      removed: ids.old.subtracting(ids.new).sorted(),
      changed: ids.new.intersection(ids.old).filter { id in
        new.manifest(id).map(new.parts) != old.manifest(id).map(old.parts)
      }.sorted())
  }

  /// Ends all experts; none is loaded any more.
  package func shutDown(finishing: Bool) async {
    isShutDown = true
    for entry in experts.values {
      if let expert = try? await value(of: entry) { await expert.shutDown(finishing: finishing) }
    }
    for departure in leaving.values { await departure.task?.value }
    current.remote.shutDown()
  }
}
