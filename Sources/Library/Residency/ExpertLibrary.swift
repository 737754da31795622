import Foundation
import Routing
import Synchronization

/// The experts that this server knows. Each is loaded at its first request, once, however many
/// requests ask for it at the time.
package actor ExpertLibrary {
  /// In the order of their ids.
  package nonisolated let manifests: [ExpertManifest]
  /// What each expert needs, by its id: whether all is there is asked for each prompt, and to put the
  /// names together takes longer than to look.
  private nonisolated let neededFiles: [String: [String]]
  /// When all of an expert's files were last seen.
  private nonisolated let seen = Mutex<[String: ContinuousClock.Instant]>([:])
  private nonisolated let trust: Duration
  private nonisolated let remote: RemoteExperts
  private let load: @Sendable (ExpertManifest) async throws(LibraryError) -> any Expert
  private var experts: [String: Task<any Expert, any Error>] = [:]
  private var isShutDown = false

  /// - Parameters:
  ///   - trust: How long files that were there are taken to be. To look for those of eleven experts is a tenth of a
  ///     millisecond of each decision.
  ///   - load: makes an expert from its manifest; off the cooperative threads. Remote ones need none.
  package init(
    manifests: [ExpertManifest], trust: Duration = .zero,
    load: @escaping @Sendable (ExpertManifest) async throws(LibraryError) -> any Expert
  ) {
    self.manifests = manifests.sorted { $0.card.id < $1.card.id }
    neededFiles = Self.neededFiles(of: manifests)
    remote = RemoteExperts(manifests)
    self.trust = trust
    self.load = load
  }

  /// Reads the cards in a models folder: every folder in it that has an `expert.yaml`.
  package static func manifests(in directory: String) throws(LibraryError) -> [ExpertManifest] {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
    } catch {
      throw .unreadableFolder(path: directory)
    }
    var manifests: [ExpertManifest] = []
    for name in names {
      let folder = directory + "/" + name
      guard FileManager.default.fileExists(atPath: folder + "/expert.yaml") else { continue }
      manifests.append(try ExpertManifest.load(folder: folder))
    }
    for manifest in manifests { _ = try manifest.base(among: manifests) }
    return manifests
  }

  package nonisolated var ids: [String] { manifests.map(\.card.id) }

  package nonisolated func manifest(_ id: String) throws(LibraryError) -> ExpertManifest {
    guard let found = manifests.first(where: { $0.card.id == id }) else {
      throw .unknownExpert(id: id, known: ids)
    }
    return found
  }

  /// Why an expert cannot answer now; nil where it can.
  package nonisolated func obstacle(to manifest: ExpertManifest) -> String? {
    let id = manifest.card.id
    let now = ContinuousClock.now
    if let problem = remote.obstacle(to: id) { return problem }
    if let time = seen.withLock({ $0[id] }), now < time + trust { return nil }
    let obstacle =
      (manifest.endpoint?.keyProblem == nil ? nil : RemoteExpert.noKey)
      ?? missingFile(of: manifest).map { "\($0) is missing; `make models` fetches it" }
    seen.withLock { $0[id] = obstacle == nil ? now : nil }
    return obstacle
  }

  /// A file that the expert, the base that it is added to, or an adapter of a mixture lacks.
  private nonisolated func missingFile(of manifest: ExpertManifest) -> String? {
    neededFiles[manifest.card.id]?.first { access($0, F_OK) != 0 }
  }

  private static func neededFiles(of manifests: [ExpertManifest]) -> [String: [String]] {
    func card(_ id: String?) -> ExpertManifest? { manifests.first { $0.card.id == id } }
    var found: [String: [String]] = [:]
    for manifest in manifests {
      let parts = [card(manifest.addition?.base), manifest]
      found[manifest.card.id] = parts.flatMap { $0?.neededFiles(expert: card) ?? [] }
    }
    return found
  }

  /// The expert, loaded if it was not.
  package func expert(_ id: String) async throws -> any Expert {
    let manifest = try manifest(id)
    if let running = experts[id] { return try await running.value }
    guard !isShutDown else {
      throw LibraryError.unloadable(expert: id, problem: "the server is shutting down")
    }
    if let path = missingFile(of: manifest) {
      throw LibraryError.missingFile(expert: id, path: path)
    }
    let load = self.load
    let remote = self.remote
    let task = Task<any Expert, any Error> {
      if let endpoint = manifest.endpoint { return try remote.expert(manifest, endpoint) }
      return try await load(manifest)
    }
    experts[id] = task
    do {
      return try await task.value
    } catch {
      // The next request tries again: the file may have been mended.
      experts[id] = nil
      throw error
    }
  }

  /// Ids of the experts that are loaded or being loaded.
  package var resident: Set<String> { Set(experts.keys) }

  /// Ends all experts; none is loaded any more.
  package func shutDown(finishing: Bool) async {
    isShutDown = true
    for task in experts.values {
      if let expert = try? await task.value { await expert.shutDown(finishing: finishing) }
    }
    remote.shutDown()
  }
}
