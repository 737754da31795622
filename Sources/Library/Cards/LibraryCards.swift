import Foundation

/// The cards in a models folder: of every folder in it that has an `expert.yaml`. One that can't be used is told apart,
/// and does not stand in the way of the others.
package struct LibraryCards: Sendable {
  /// In the order of their ids.
  package let manifests: [ExpertManifest]
  /// Why others can't be used, by the names of their folders, which would be their ids.
  package let problems: [String: LibraryError]

  package init(directory: String) throws(LibraryError) {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
    } catch {
      throw .unreadableFolder(path: directory)
    }
    var read: [ExpertManifest] = []
    var problems: [String: LibraryError] = [:]
    for name in names {
      let folder = directory + "/" + name
      guard FileManager.default.fileExists(atPath: folder + "/expert.yaml") else { continue }
      do throws(LibraryError) {
        read.append(try ExpertManifest.load(folder: folder))
      } catch {
        problems[name] = error
      }
    }
    var manifests: [ExpertManifest] = []
    for manifest in read {
      do throws(LibraryError) {
        for (key, id) in [("base", manifest.addition?.base), ("draft", manifest.draft)] {
          guard let id, let problem = problems[id] else { continue }
          throw .invalidCard(
            path: manifest.folder + "/expert.yaml",
            problem: "its \(key) '\(id)' cannot be used: \(problem)")
        }
        _ = try manifest.base(among: read)
        _ = try manifest.draft(among: read)
        manifests.append(manifest)
      } catch {
        problems[manifest.card.id] = error
      }
    }
    self.manifests = manifests
    self.problems = problems
  }

  /// The manifest of an id.
  ///
  /// - Throws: What is wrong with its card, where there is one.
  package func manifest(_ id: String) throws(LibraryError) -> ExpertManifest {
    if let found = manifests.first(where: { $0.card.id == id }) { return found }
    throw problems[id] ?? .unknownExpert(id: id, known: manifests.map(\.card.id))
  }
}
