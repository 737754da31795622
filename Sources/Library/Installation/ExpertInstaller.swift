import Foundation
import ModelFiles
import Routing
import Transformer
import Vision
import Yams

/// Adds experts to a models folder and takes them out again.
package struct ExpertInstaller: Sendable {
  /// The models folder.
  package let directory: String

  package init(directory: String) { self.directory = directory }

  /// What is known of an expert beyond its file. Nil: taken from the file where it says so.
  package struct Details: Sendable {
    package var id: String?
    package var name: String?
    package var description: String?
    package var license: String?
    package var released: CalendarDate?
    package var domains: [String] = []
    package var chatTemplate: String?
    /// The expert that an adapter is added to.
    package var base: String?
    /// llama.cpp's mmproj file, which reads images for a GGUF model.
    package var projector: String?
    /// Whether a model from the hub is to come without what reads images for it.
    package var readsText = false
    /// Where it was fetched from.
    var source: String?

    package init() {}
  }

  /// How a file comes into the models folder.
  package enum Transfer: Sendable {
    case copy
    /// A symbolic link: the file stays where it is.
    case link
    /// The file is there no longer.
    case move
  }

  /// Adds a GGUF file (of several parts, the first brings the others), a folder with a Hugging Face checkpoint, or one with a PEFT adapter, as an
  /// expert: a folder with its card and its files. Nothing is left behind where it can't be used.
  package func add(
    _ path: String, details: Details, transfer: Transfer
  ) throws(LibraryError) -> ExpertManifest {
    let source = URL(filePath: path).standardizedFileURL
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: source.path, isDirectory: &isFolder) else {
      throw .notInstallable(path: path, problem: "there is no such file or folder")
    }
    let kind: Kind =
      !isFolder.boolValue
      ? .file : Self.isCheckpoint(source) && details.base == nil ? .checkpoint : .adapter
    let id =
      if let id = details.id { id } else {
        try kind == .file ? Self.id(ofModel: source.path) : Self.id(from: source.lastPathComponent)
      }
    let folder = try newFolder(id, for: path)
    guard details.projector == nil || kind == .file else {
      throw .notInstallable(path: path, problem: "a projector is for a GGUF file")
    }
    let card: [(String, Node)]
    let files: [String]
    switch kind {
    case .adapter:
      files = Self.adapterFiles
      card = try adapterCard(id, folder: source, files: files, details)
    case .checkpoint:
      card = try checkpointCard(id, folder: source, details)
      files = try Self.checkpointFiles(source)
    case .file:
      card = try modelCard(id, path: source.path, details)
      let parts = GGUFPartName(source.path)?.paths ?? [source.path]
      files = parts.map { URL(filePath: $0).lastPathComponent }
    }
    let origin = kind == .file ? source.deletingLastPathComponent() : source
    let sources =
      files.map { origin.appending(path: $0) }
      + [details.projector].compactMap(\.self).map { URL(filePath: $0).standardizedFileURL }
    return try install(card, in: folder, for: path) {
      for from in sources {
        let file = from.lastPathComponent
        let to = URL(filePath: folder + "/" + file)
        switch transfer {
        case .copy:
          // A download cache holds links, which a copy would keep, to places that are no longer
          // beside them.
          try FileManager.default.copyItem(at: from.resolvingSymlinksInPath(), to: to)
        case .move: try FileManager.default.moveItem(at: from, to: to)
        case .link: try FileManager.default.createSymbolicLink(at: to, withDestinationURL: from)
        }
      }
    }
  }

  /// Takes an expert's folder out of the models folder, weights included.
  package func remove(_ id: String) throws(LibraryError) {
    let cards = try LibraryCards(directory: directory)
    // One whose card can't be used may go all the same.
    if cards.problems[id] != nil { return try removeFolder(directory + "/" + id, of: id) }
    let manifests = cards.manifests
    let manifest = try cards.manifest(id)
    let dependents = manifests.filter { $0.addition?.base == id }.map(\.card.id)
    guard dependents.isEmpty else {
      throw .notRemovable(
        expert: id, problem: "it is the base of \(dependents.joined(separator: ", "))")
    }
    let drafted = manifests.filter { $0.draft == id }.map(\.card.id)
    guard drafted.isEmpty else {
      throw .notRemovable(
        expert: id, problem: "it is the draft of \(drafted.joined(separator: ", "))")
    }
    let mixtures = Self.mixtures(using: manifest, among: manifests)
    guard mixtures.isEmpty else {
      throw .notRemovable(
        expert: id, problem: "its adapter is part of \(mixtures.joined(separator: ", "))")
    }
    try removeFolder(manifest.folder, of: id)
  }

  private func removeFolder(_ folder: String, of id: String) throws(LibraryError) {
    do {
      try FileManager.default.removeItem(atPath: folder)
    } catch {
      throw .notRemovable(expert: id, problem: "\(error.localizedDescription)")
    }
  }

  /// Ids of the mixtures with an adapter from this expert's folder, named by its id or by a path.
  private static func mixtures(
    using manifest: ExpertManifest, among manifests: [ExpertManifest]
  ) -> [String] {
    let folder = URL(filePath: manifest.folder).standardizedFileURL.path
    return manifests.filter { mixture in
      mixture.card.id != manifest.card.id
        && mixture.adapterPaths { id in manifests.first { $0.card.id == id } }.contains { path in
          let path = URL(filePath: path).standardizedFileURL.path
          return path == folder || path.hasPrefix(folder + "/")
        }
    }.map(\.card.id)
  }

  // MARK: - Checkpoints

  private enum Kind { case file, checkpoint, adapter }

  /// Whether a folder holds a model as Hugging Face's libraries save it.
  package static func isCheckpoint(_ folder: URL) -> Bool {
    func has(_ name: String) -> Bool {
      FileManager.default.fileExists(atPath: folder.appending(path: name).path)
    }
    return has("config.json") && !has("adapter_config.json")
  }

  /// The files of a PEFT adapter.
  static let adapterFiles = ["adapter_config.json", "adapter_model.safetensors"]
  /// Files of a checkpoint beside its weights: those without which it is none, and those that are read where they
  /// are there.
  static let neededCheckpointFiles = ["config.json", "tokenizer.json"]
  static let optionalCheckpointFiles = [
    CheckpointFiles.indexName, "tokenizer_config.json", "generation_config.json",
    "chat_template.jinja", "preprocessor_config.json", "processor_config.json",
  ]

  /// The files of a checkpoint that are read.
  private static func checkpointFiles(_ folder: URL) throws(LibraryError) -> [String] {
    let weights: [String]
    do {
      weights = try CheckpointFiles.fileNames(in: folder.path)
    } catch {
      throw .notInstallable(path: folder.path, problem: "\(error)")
    }
    let beside = optionalCheckpointFiles.filter {
      FileManager.default.fileExists(atPath: folder.appending(path: $0).path)
    }
    return neededCheckpointFiles + beside + weights
  }

  // MARK: - Cards

  private func modelCard(
    _ id: String, path: String, _ details: Details
  ) throws(LibraryError) -> [(String, Node)] {
    let facts: ModelFacts
    do {
      facts = ModelFacts(try GGUFFile(path: path))
    } catch {
      throw .notInstallable(path: path, problem: "\(error)")
    }
    var card = card(
      id, facts, ("file", Node(URL(filePath: path).lastPathComponent)), details)
    if let projector = details.projector {
      do {
        _ = try VisionConfiguration(file: GGUFFile(path: projector))
      } catch {
        throw .notInstallable(path: projector, problem: "\(error)")
      }
      card.append(("projector", Node(URL(filePath: projector).lastPathComponent)))
    }
    return card
  }

  private func checkpointCard(
    _ id: String, folder: URL, _ details: Details
  ) throws(LibraryError) -> [(String, Node)] {
    let facts: ModelFacts
    do {
      facts = try ModelFacts(CheckpointFolder(path: folder.path))
    } catch {
      throw .notInstallable(path: folder.path, problem: "\(error)")
    }
    return card(id, facts, ("checkpoint", Node(".")), details)
  }

  /// The card of a model that stands alone.
  private func card(
    _ id: String, _ facts: ModelFacts, _ weights: (String, Node), _ details: Details
  ) -> [(String, Node)] {
    var card = common(id, name: facts.name, license: facts.license, details)
    card.append(weights)
    card.append(("total_parameters", Node("\(facts.totalParameters)")))
    card.append(("active_parameters", Node("\(facts.activeParameters)")))
    if let length = facts.contextLength {
      card.append(("context_length", Node("\(length)")))
    }
    if let template = details.chatTemplate { card.append(("chat_template", Node(template))) }
    return card
  }

  private func adapterCard(
    _ id: String, folder: URL, files: [String], _ details: Details
  ) throws(LibraryError) -> [(String, Node)] {
    for file in files
    where !FileManager.default.fileExists(atPath: folder.appending(path: file).path) {
      throw .notInstallable(
        path: folder.path,
        problem: "it has no \(file): neither a checkpoint with config.json nor a PEFT adapter")
    }
    let base = try base(for: folder.path, details)
    var card = common(id, name: nil, license: base.card.license, details)
    card.append(("kind", Node("local_adapters")))
    card.append(("base", Node(base.card.id)))
    card.append(("adapter", Node("adapter_model.safetensors")))
    var own = 0
    do {
      let weights = try SafetensorsFile(
        path: folder.appending(path: "adapter_model.safetensors").path)
      for name in weights.tensorNames {
        own += try weights.tensor(named: name)?.info.elementCount ?? 0
      }
    } catch {
      throw .notInstallable(path: folder.path, problem: "\(error)")
    }
    if let parameters = base.card.totalParameters {
      card.append(("total_parameters", Node("\(parameters + own)")))
    }
    if let parameters = base.card.activeParameters {
      card.append(("active_parameters", Node("\(parameters + own)")))
    }
    if let length = base.card.contextLength {
      card.append(("context_length", Node("\(length)")))
    }
    return card
  }

  /// The expert that an adapter is added to.
  func base(for path: String, _ details: Details) throws(LibraryError) -> ExpertManifest {
    let cards = try LibraryCards(directory: directory)
    guard let id = details.base else {
      let bases = cards.manifests.filter(\.canBeBase).map(\.card.id)
      throw .notInstallable(
        path: path, problem: "an adapter needs --base, one of \(bases.joined(separator: ", "))")
    }
    return try cards.manifest(id)
  }

  func common(
    _ id: String, name: String?, license: String?, _ details: Details
  ) -> [(String, Node)] {
    var card: [(String, Node)] = [
      ("id", Node(id)), ("name", Node(details.name ?? name ?? id)),
    ]
    if let description = details.description { card.append(("description", Node(description))) }
    if let license = details.license ?? license { card.append(("license", Node(license))) }
    if let source = details.source { card.append(("source", Node(source))) }
    if let released = details.released {
      card.append(("released", Node(released.description)))
    }
    if !details.domains.isEmpty {
      card.append(("domains", Node(details.domains.map { Node($0) })))
    }
    return card
  }

  /// A model's id by its file's name, without what tells that there are several.
  static func id(ofModel path: String) throws(LibraryError) -> String {
    let name = URL(filePath: path).lastPathComponent
    return try id(
      from: GGUFPartName(name)?.base
        ?? URL(filePath: name).deletingPathExtension().lastPathComponent)
  }

  /// A file's name as an id: lower case, other characters than an id may have become dashes.
  static func id(from name: String) throws(LibraryError) -> String {
    let plain = name.lowercased().map { character in
      character.isASCII && (character.isLetter || character.isNumber) || "._".contains(character)
        ? character : "-"
    }
    let trimmed = String(plain.drop { "-._".contains($0) }.prefix(100))
    guard !trimmed.isEmpty else {
      throw .notInstallable(path: name, problem: "the name makes no id; --id gives one")
    }
    return trimmed
  }
}
