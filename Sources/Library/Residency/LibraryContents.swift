import Foundation

/// What the cards say.
struct LibraryContents: Sendable {
  /// In the order of their ids.
  let manifests: [ExpertManifest]
  let unusable: [String: String]
  /// What each expert needs, by its id: whether all is there is asked for each prompt, and to put the
  /// names together takes longer than to look.
  let neededFiles: [String: [String]]
  let remote: RemoteExperts

  /// - Parameter earlier: Contents that these take the place of.
  init(
    _ manifests: [ExpertManifest], _ problems: [String: LibraryError],
    after earlier: LibraryContents?
  ) {
    self.manifests = manifests.sorted { $0.card.id < $1.card.id }
    unusable = problems.mapValues { problem in
      // A parser's message has a line for the place.
      "\(problem)".split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " } }
        .joined(separator: " ")
    }
    neededFiles = Self.neededFiles(of: manifests)
    remote = RemoteExperts(manifests, after: earlier.map { ($0.remote, $0.manifests) })
  }

  func manifest(_ id: String?) -> ExpertManifest? { manifests.first { $0.card.id == id } }

  /// The manifests that an expert is made of: first its model's draft's, if it has one, then its base's, and its own.
  func parts(_ manifest: ExpertManifest) -> [ExpertManifest] {
    Self.parts(manifest) { id in self.manifest(id) }
  }

  private static func parts(
    _ manifest: ExpertManifest, card: (String?) -> ExpertManifest?
  ) -> [ExpertManifest] {
    let base = card(manifest.addition?.base)
    return [card((base ?? manifest).draft), base, manifest].compactMap(\.self)
  }

  /// A file that the expert, the base that it is added to, or an adapter of a mixture lacks.
  func missingFile(of manifest: ExpertManifest) -> String? {
    neededFiles[manifest.card.id]?.first { access($0, F_OK) != 0 }
  }

  private static func neededFiles(of manifests: [ExpertManifest]) -> [String: [String]] {
    func card(_ id: String?) -> ExpertManifest? { manifests.first { $0.card.id == id } }
    var found: [String: [String]] = [:]
    for manifest in manifests {
      found[manifest.card.id] = parts(manifest, card: card).flatMap { $0.neededFiles(expert: card) }
    }
    return found
  }
}
