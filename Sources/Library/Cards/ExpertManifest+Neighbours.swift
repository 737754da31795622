import Foundation

/// The experts that this one needs, which have their folders beside its own.
extension ExpertManifest {
  /// The card of an expert in the same models folder; nil where there is none, or a bad one.
  func neighbour(_ id: String) -> ExpertManifest? {
    let models = URL(filePath: folder).deletingLastPathComponent().path
    return try? ExpertManifest.load(folder: models + "/" + id)
  }

  /// Whether adapters can be added to it: whether it is a model that runs in this process.
  package var canBeBase: Bool { addition == nil && endpoint == nil }

  /// The manifest of the expert that this one is added to; nil where it stands alone. Throws where
  /// the base is not there, or is itself an addition.
  package func base(among manifests: [ExpertManifest]) throws(LibraryError) -> ExpertManifest? {
    guard let addition else { return nil }
    let base = try expert(addition.base, as: "base", among: manifests)
    guard base.addition == nil else {
      throw invalid("base '\(addition.base)' is itself added to a base; name that one instead")
    }
    guard base.canBeBase else {
      throw invalid("base '\(addition.base)' is remote: its model is not here")
    }
    return base
  }

  /// The manifest of the expert whose model guesses ahead for this one's; nil where none does. Throws where it is not
  /// there, or has no model of its own in this process.
  package func draft(among manifests: [ExpertManifest]) throws(LibraryError) -> ExpertManifest? {
    guard let draft else { return nil }
    let found = try expert(draft, as: "draft", among: manifests)
    guard found.canBeBase else {
      throw invalid(
        "draft '\(draft)' is "
          + (found.endpoint == nil ? "added to a base" : "remote")
          + "; it must have a model of its own that runs in this process")
    }
    return found
  }

  private func expert(
    _ id: String, as key: String, among manifests: [ExpertManifest]
  ) throws(LibraryError) -> ExpertManifest {
    if let found = manifests.first(where: { $0.card.id == id }) { return found }
    let nearest = id.nearest(among: manifests.filter(\.canBeBase).map(\.card.id))
    throw invalid(
      "\(key) '\(id)' is no expert of this library"
        + (nearest.map { "; did you mean '\($0)'?" } ?? ""))
  }

  private func invalid(_ problem: String) -> LibraryError {
    .invalidCard(path: folder + "/expert.yaml", problem: problem)
  }
}
