import Foundation
import ModelFiles
import Transformer
import Vision

extension ExpertInstaller {
  /// Fetches a model from the hub and adds it as an expert. Licence, day of release and source are the hub's where the
  /// details have none.
  ///
  /// A GGUF model comes with the mmproj file beside it, by which it reads images, where that is read here.
  ///
  /// What is fetched waits in `.cache/hub` in the models folder: an attempt that is broken off is gone on with.
  ///
  /// - Parameter remark: Gets what a person should know, and nothing fails for.
  package func add(
    _ reference: HubReference, from hub: HubClient, details: Details,
    remark: (String) -> Void = { _ in },
    progress: @escaping @Sendable (HubClient.Progress) -> Void
  ) async throws -> ExpertManifest {
    let info = try await hub.info(reference)
    let commit = info.commit ?? reference.revision ?? "main"
    let listed = try await hub.files(reference, commit: commit)
    let selection = try HubSelection(reference, among: listed)
    var details = details
    details.license = details.license ?? info.license
    details.released = details.released ?? info.released
    details.source = hub.source(selection, of: reference, commit: commit)
    // What would be in the way afterwards, before gigabytes are fetched.
    if case .adapter = selection {
      _ = try base(for: "\(reference)", details)
    } else if details.base != nil {
      throw LibraryError.notInstallable(
        path: "\(reference)", problem: "--base is for an adapter, and this is a model of its own")
    }
    if case .model(let model) = selection {
      _ = try newFolder(details.id ?? Self.id(ofModel: model.first.name), for: "\(reference)")
    } else {
      details.id = try details.id ?? Self.id(from: reference.name)
      _ = try newFolder(details.id ?? "", for: "\(reference)")
    }

    let folder =
      directory + "/.cache/hub/" + reference.repository.replacingOccurrences(of: "/", with: "--")
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw LibraryError.notInstallable(path: "\(reference)", problem: "\(folder) cannot be made")
    }
    // Only where nothing else is there, such as a part of another file.
    defer { rmdir(folder) }
    if case .model = selection {} else { Self.forget(in: folder) }
    var fetched: [String] = []
    func fetch(_ files: [HubFile]) async throws {
      try HubClient.checkRoom(in: folder, for: files)
      for file in files {
        fetched.append(
          try await hub.fetch(
            file, of: reference, commit: commit, into: folder, progress: progress))
      }
    }
    switch selection {
    case .model(let model):
      let projector =
        details.readsText || details.projector != nil ? nil : model.projector(among: listed)
      try await fetch(model.files + [projector].compactMap(\.self))
      if let projector, let path = fetched.last {
        do {
          _ = try VisionConfiguration(file: GGUFFile(path: path))
          details.projector = path
        } catch {
          remark(
            "it reads no images: \(projector.name) is none of those that are read here (\(error))")
        }
      }
    case .adapter(let files): try await fetch(files)
    case .checkpoint(let files):
      try await fetch(files)
      try await fetch(
        CheckpointFiles.fileNames(in: folder).map { name in
          guard let file = listed.first(where: { $0.path == name }) else {
            throw HubError.badAnswer("the repository's index names \(name), which is not there")
          }
          return file
        })
    }
    // Moved by now, or of no use.
    defer { for path in fetched { try? FileManager.default.removeItem(atPath: path) } }
    if case .model = selection { return try add(fetched[0], details: details, transfer: .move) }
    return try add(folder, details: details, transfer: .move)
  }

  /// Takes out what an attempt at another revision may have left: such a file would be read as one of this.
  private static func forget(in folder: String) {
    for name in neededCheckpointFiles + optionalCheckpointFiles + ["adapter_config.json"] {
      try? FileManager.default.removeItem(atPath: folder + "/" + name)
    }
  }
}

extension HubClient {
  /// Where people find what was fetched, as it was then.
  fileprivate func source(
    _ selection: HubSelection, of reference: HubReference, commit: String
  ) -> String {
    if case .model(let model) = selection {
      return "\(page(reference))/blob/\(commit)/\(model.first.path)"
    }
    return "\(page(reference))/tree/\(commit)"
  }
}
