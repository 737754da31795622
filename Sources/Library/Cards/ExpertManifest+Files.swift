import Foundation
import ModelFiles
import Routing
import Transformer

/// The files that an expert is made of, and a name for what is in them.
extension ExpertManifest {
  /// Files without which the expert can't be loaded, its base's left out; of a mixture also its
  /// adapters'.
  package var neededFiles: [String] { neededFiles(expert: neighbour) }

  /// The same.
  /// - Parameter expert: Gives the card of an id, for whoever has read the cards already.
  package func neededFiles(expert: (String) -> ExpertManifest?) -> [String] {
    if endpoint != nil { return [] }
    if let checkpointFolder {
      return ["config.json", "tokenizer.json"].map { checkpointFolder + "/" + $0 } + [modelPath]
    }
    switch addition?.kind {
    case nil: return modelParts + [projectorPath].compactMap(\.self)
    case .adapter: return Self.adapterFiles(modelPath)
    case .mixture:
      let adapters = adapterPaths(expert: expert)
      return [mixturePath, modelPath] + adapters.flatMap(Self.adapterFiles)
    }
  }

  /// The files of a model in GGUF's form: one, or all parts of it, by the name of the first.
  package var modelParts: [String] { GGUFPartName(modelPath)?.paths ?? [modelPath] }

  /// Folder of the card of the model that the expert is on: its base's, or its own.
  var modelFolder: String { URL(filePath: baseFolder ?? folder).standardizedFileURL.path }

  /// Bytes of the files that a model's weights are in, of one that stands alone; 0 for what is not there.
  var weightFileBytes: Int {
    var paths = modelParts + [projectorPath].compactMap(\.self)
    if let checkpointFolder, let names = try? CheckpointFiles.fileNames(in: checkpointFolder) {
      paths = names.map { checkpointFolder + "/" + $0 }
    }
    return paths.reduce(0) { sum, path in
      let url = URL(filePath: path).resolvingSymlinksInPath()
      return sum + ((try? url.resourceValues(forKeys: [.fileSizeKey]).fileSize) ?? 0)
    }
  }

  /// Tells what this expert computes from what any other does, and from the same with another gate;
  /// of one that is added to a base, also from the same on another base.
  package func revision() throws -> String {
    let own = try gating?.revision(of: filesRevision()) ?? filesRevision()
    guard let baseFolder else { return own }
    let card = try ExpertManifest.load(folder: baseFolder)
    guard let base = try self.base(among: [card, self]) else { return own }
    return String(SHA256.hex(of: "\(own):\(try base.revision())").prefix(16))
  }

  private func filesRevision() throws -> String {
    if let endpoint {
      // Whether the model behind a name is still the same, nobody here can tell.
      return String(SHA256.hex(of: "\(endpoint.url) \(endpoint.model)").prefix(16))
    }
    if addition != nil { return try FileRevision.of(neededFiles) }
    // What reads images has no part in what a text's loss is.
    guard let checkpointFolder else {
      return try modelParts.count == 1 ? FileRevision.of(modelPath) : FileRevision.of(modelParts)
    }
    let files =
      try ["config.json", "tokenizer.json"] + CheckpointFiles.fileNames(in: checkpointFolder)
    return try FileRevision.of(files.map { checkpointFolder + "/" + $0 })
  }

  // MARK: - Mixtures

  /// Where a mixture's adapters are, in its order: folders in PEFT's form, or their safetensors
  /// files. Empty for others, and where `mixture.json` can't be read, which loading tells better.
  package func adapterPaths(expert: (String) -> ExpertManifest?) -> [String] {
    guard addition?.kind == .mixture, let file = try? MixtureFile(path: mixturePath) else {
      return []
    }
    return file.adapters.map { entry in
      adapterPath(of: entry, in: file.folder, expert: expert) ?? file.folder + "/" + entry
    }
  }

  /// What an entry of a mixture's file stands for: a folder or file beside it, or else the adapter of
  /// an expert on the same base. Nil where it is neither.
  func adapterPath(
    of entry: String, in folder: String, expert: (String) -> ExpertManifest?
  ) -> String? {
    let inFolder = folder + "/" + entry
    if FileManager.default.fileExists(atPath: inFolder) { return inFolder }
    guard !entry.contains("/"), let found = expert(entry), let adapter = found.addition,
      adapter.kind == .adapter, adapter.base == addition?.base
    else { return nil }
    return found.folder + "/" + adapter.path
  }

  /// The description beside a mixture's weights.
  private var mixturePath: String {
    URL(filePath: modelPath).deletingLastPathComponent().path + "/mixture.json"
  }

  private static func adapterFiles(_ path: String) -> [String] {
    let isFile = path.hasSuffix(".safetensors")
    let folder = isFile ? URL(filePath: path).deletingLastPathComponent().path : path
    return [isFile ? path : folder + "/adapter_model.safetensors", folder + "/adapter_config.json"]
  }
}
