import Foundation
import Kernels
import ModelFiles
import Routing
import Transformer
import Vision
import Yams

/// `models/<id>/expert.yaml`: an expert's card, and how the expert is run.
package struct ExpertManifest: Sendable, Equatable {
  package private(set) var card: ExpertCard
  /// Folder that `file` is in.
  package let folder: String
  /// Weights, relative to `folder`: of an expert on a base, its own, not the base's; of a checkpoint
  /// in several files, their index; of a GGUF model in several parts, the first. Empty for a remote expert.
  package let file: String
  /// Folder of a Hugging Face checkpoint, relative to `folder`; nil where the weights are a GGUF file
  /// or added to a base.
  package let checkpoint: String?
  /// What reads images for a GGUF model, llama.cpp's mmproj file, relative to `folder`; nil where nothing does, and
  /// for a checkpoint, which has that among its weights.
  package var projector: String?
  /// What the expert adds to which base; nil where it stands alone.
  package let addition: Addition?
  /// Id of a smaller expert whose model guesses ahead for this one's; nil for none, and where it does not stand alone.
  package let draft: String?
  /// How the model's layers choose among their experts, where that is not left to its file; of an
  /// expert that stands alone.
  package let gating: Gating?
  /// How the key-value cache of its model holds numbers, f16 or int8; nil leaves that to the configuration.
  package var keyValueType: KVLayout.ElementType?
  /// Name of a built-in chat template, or of a file `*.jinja` in `folder`; nil takes the one in the weights.
  package let chatTemplate: String?
  /// How it thinks before it answers; nil leaves that to its chat template.
  package let reasoning: ReasoningLayout.Name?
  /// Where a remote expert is; nil for those that run in this process.
  package let endpoint: Endpoint?

  package var modelPath: String { folder + "/" + file }
  package var projectorPath: String? { projector.map { folder + "/" + $0 } }
  /// Where the card's own chat template is; nil where it has none.
  var chatTemplateFile: String? {
    chatTemplate.flatMap { $0.hasSuffix(".jinja") ? folder + "/" + $0 : nil }
  }
  package var checkpointFolder: String? { checkpoint.map { Self.inside(folder, $0) } }

  /// Whether the card says that a token meets some of its parameters only: that it has gates.
  package var isMixture: Bool {
    if let addition { return addition.kind == .mixture }
    if gating != nil { return true }
    guard let active = card.activeParameters, let total = card.totalParameters else {
      return false
    }
    return active < total
  }

  /// Folder of the expert that this one is added to, beside its own.
  package var baseFolder: String? {
    addition.map { URL(filePath: folder).deletingLastPathComponent().path + "/" + $0.base }
  }

  /// `gate` and `feed_forward_slices`.
  package struct Gating: Sendable, Equatable, Encodable {
    /// A gate for every mixture of experts, on the file's own scores.
    package let gate: GateDescription?
    /// Slices that each dense block is cut into, which are its experts then.
    package let slices: Int?

    /// A name for these weights with this gate.
    func revision(of weights: String) throws -> String {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      let text = weights + String(decoding: try encoder.encode(self), as: UTF8.self)
      return String(SHA256.hex(of: Data(text.utf8)).prefix(16))
    }
  }

  /// `base` with `adapter` or `mixture`: low-rank additions to another expert's model.
  package struct Addition: Sendable, Equatable {
    package enum Kind: String, Sendable {
      /// One adapter in PEFT's form.
      case adapter
      /// Several, weighed by a gate token by token.
      case mixture
    }

    /// Id of the expert whose model it is added to.
    package let base: String
    package let kind: Kind
    /// Its folder or file, relative to the card's folder.
    package let path: String
  }

  /// Reads and checks a card.
  package static func load(folder: String) throws(LibraryError) -> ExpertManifest {
    let path = folder + "/expert.yaml"
    let text: String
    do {
      text = try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      throw .invalidCard(path: path, problem: "cannot be read")
    }
    do {
      return try parse(yaml: text, folder: folder)
    } catch let problem as ManifestProblem {
      throw .invalidCard(path: path, problem: problem.message)
    } catch let error as RoutingError {
      throw .invalidCard(path: path, problem: error.description)
    } catch let problem as EndpointProblem {
      throw .invalidCard(path: path, problem: problem.message)
    } catch let error as DecodingError {
      throw .invalidCard(path: path, problem: error.shortDescription)
    } catch let error as YamlError {
      throw .invalidCard(path: path, problem: error.shortDescription)
    } catch {
      throw .invalidCard(path: path, problem: "\(error)")
    }
  }

  private static func parse(yaml: String, folder: String) throws -> ExpertManifest {
    let remoteKeys = EndpointKeys.CodingKeys.allCases.map(\.rawValue) + [EndpointKeys.requestKey]
    let localKeys = RunKeys.allCases.map(\.rawValue)
    let known = ExpertCard.CodingKeys.allCases.map(\.rawValue) + localKeys + remoteKeys
    guard case .mapping(let mapping)? = try Yams.compose(yaml: yaml) else {
      throw ManifestProblem(message: "must hold keys such as id and file")
    }
    for (key, _) in mapping where !known.contains(key.string ?? "") {
      let name = key.string ?? "?"
      let nearest = name.nearest(among: known)
      throw ManifestProblem(
        message: "unknown key '\(name)'" + (nearest.map { "; did you mean '\($0)'?" } ?? ""))
    }
    let decoder = YAMLDecoder()
    let card = try decoder.decode(ExpertCard.self, from: yaml)
    try card.validate()
    let name = URL(filePath: folder).lastPathComponent
    guard card.id == name else {
      throw ManifestProblem(message: "id '\(card.id)' must equal the folder's name, '\(name)'")
    }
    let strange = card.kind == .remote ? localKeys : remoteKeys
    if let key = mapping.compactMap(\.key.string).first(where: strange.contains) {
      throw ManifestProblem(
        message: "\(key) is for an expert "
          + (card.kind == .remote ? "that runs in this process" : "of kind remote"))
    }
    if card.kind == .remote { return try remote(card, yaml, mapping, folder: folder) }
    let run = try decoder.decode(Run.self, from: yaml)
    guard let base = run.base else {
      var manifest = try standing(card, run, folder: folder)
      try manifest.takeEyes(run, stated: mapping["reads_images"] != nil)
      return manifest
    }
    guard run.projector == nil, mapping["reads_images"] == nil else {
      throw ManifestProblem(message: "an expert that is added to a base reads text alone")
    }
    return try added(card, run, base: base, folder: folder)
  }

  /// An expert behind an endpoint.
  private static func remote(
    _ card: ExpertCard, _ yaml: String, _ mapping: Node.Mapping, folder: String
  ) throws -> ExpertManifest {
    let endpoint = try endpoint(
      try YAMLDecoder().decode(EndpointKeys.self, from: yaml), id: card.id,
      request: mapping[Node(EndpointKeys.requestKey)])
    var card = card
    // What goes to a loopback address stays on this machine, unless the card knows better: a server there may pass
    // it on.
    if mapping["runs"] == nil, endpoint.isLoopback { card.runs = .thisMachine }
    return ExpertManifest(
      card: card, folder: folder, file: "", checkpoint: nil, addition: nil, draft: nil,
      gating: nil, chatTemplate: nil, reasoning: nil, endpoint: endpoint)
  }

  /// What reads images for a model of its own: a projector beside a GGUF file, or what a checkpoint has of that. A card
  /// may leave a checkpoint's out by `reads_images: false`.
  private mutating func takeEyes(_ run: Run, stated: Bool) throws {
    if let projector = run.projector {
      guard checkpoint == nil else {
        throw ManifestProblem(
          message: "projector is for a GGUF file; a checkpoint has it among its weights")
      }
      try Self.checkInside(projector, key: "projector")
      self.projector = projector
    }
    let hasEyes = projector != nil || checkpointFolder.map(ImageEncoder.reads) ?? false
    if stated, card.readsImages, !hasEyes {
      throw ManifestProblem(
        message: checkpoint == nil
          ? "reads_images of a GGUF model needs projector, its mmproj file"
          : "reads_images: this checkpoint's images are not read here")
    }
    if !stated { card.readsImages = hasEyes }
  }

  /// An expert with a model of its own.
  private static func standing(
    _ card: ExpertCard, _ run: Run, folder: String
  ) throws -> ExpertManifest {
    for (key, value) in [("adapter", run.adapter), ("mixture", run.mixture)] where value != nil {
      throw ManifestProblem(message: "\(key) needs base, the id of the expert that it is added to")
    }
    guard card.kind != .localAdapters else {
      throw ManifestProblem(message: "kind local_adapters needs base, and adapter or mixture")
    }
    if let checkpoint = run.checkpoint {
      return try read(checkpoint: checkpoint, card, run, folder: folder)
    }
    guard let file = run.file else { throw ManifestProblem(message: "key 'file' is missing") }
    try checkInside(file, key: "file")
    if let part = GGUFPartName(file), part.number > 1 {
      throw ManifestProblem(
        message:
          "file names part \(part.number) of \(part.count); '\(part.path(ofPart: 1))' brings the others"
      )
    }
    return ExpertManifest(
      card: card, folder: folder, file: file, checkpoint: nil, addition: nil,
      draft: try draft(run, of: card), gating: run.gating,
      keyValueType: try keyValueType(run), chatTemplate: run.chat_template,
      reasoning: try reasoning(run), endpoint: nil)
  }

  /// An expert whose model is a folder as Hugging Face's libraries save it.
  private static func read(
    checkpoint: String, _ card: ExpertCard, _ run: Run, folder: String
  ) throws -> ExpertManifest {
    guard run.file == nil else {
      throw ManifestProblem(message: "file and checkpoint exclude each other")
    }
    try checkInside(checkpoint, key: "checkpoint")
    let index = CheckpointFiles.indexName
    let hasIndex = FileManager.default.fileExists(atPath: inside(folder, checkpoint) + "/" + index)
    return ExpertManifest(
      card: card, folder: folder,
      file: inside(nil, checkpoint, hasIndex ? index : CheckpointFiles.singleName),
      checkpoint: checkpoint, addition: nil, draft: try draft(run, of: card), gating: run.gating,
      keyValueType: try keyValueType(run), chatTemplate: run.chat_template,
      reasoning: try reasoning(run), endpoint: nil)
  }

  /// Parts of a path, without those that are the folder itself.
  private static func inside(_ parts: String?...) -> String {
    parts.compactMap(\.self).filter { $0 != "." }.joined(separator: "/")
  }

  /// An expert that adds to another's model.
  private static func added(
    _ card: ExpertCard, _ run: Run, base: String, folder: String
  ) throws -> ExpertManifest {
    var card = card
    card.kind = .localAdapters
    guard run.file == nil else {
      throw ManifestProblem(message: "file and base exclude each other; the base has the weights")
    }
    guard run.checkpoint == nil else {
      throw ManifestProblem(message: "checkpoint and base exclude each other")
    }
    guard run.gating == nil else {
      throw ManifestProblem(
        message:
          "gate and feed_forward_slices are for an expert with a model of its own; a mixture's "
          + "gates are in its mixture.json")
    }
    guard run.kv_cache_type == nil else {
      throw ManifestProblem(
        message: "kv_cache_type is for an expert with a model of its own; the cache is the base's")
    }
    guard base != card.id else {
      throw ManifestProblem(message: "base '\(base)' is the expert itself")
    }
    guard run.draft == nil else {
      throw ManifestProblem(
        message: "draft is for an expert with a model of its own; the base may have one")
    }
    let kind: Addition.Kind
    let path: String
    switch (run.adapter, run.mixture) {
    case (let adapter?, nil): (kind, path) = (.adapter, adapter)
    case (nil, let mixture?): (kind, path) = (.mixture, mixture)
    default:
      throw ManifestProblem(message: "base needs either adapter or mixture, a folder or file")
    }
    try checkInside(path, key: kind.rawValue)
    let isFile = path.hasSuffix(kind == .adapter ? ".safetensors" : ".json")
    let parent = isFile ? path.split(separator: "/").dropLast().joined(separator: "/") : path
    let prefix = parent.isEmpty || parent == "." ? "" : parent + "/"
    let file =
      switch kind {
      case .adapter: isFile ? path : prefix + "adapter_model.safetensors"
      case .mixture: prefix + "gate.safetensors"
      }
    return ExpertManifest(
      card: card, folder: folder, file: file, checkpoint: nil,
      addition: Addition(base: base, kind: kind, path: path), draft: nil, gating: nil,
      chatTemplate: run.chat_template, reasoning: try reasoning(run), endpoint: nil)
  }

  private static func draft(_ run: Run, of card: ExpertCard) throws -> String? {
    guard run.draft != card.id else {
      throw ManifestProblem(message: "draft '\(card.id)' is the expert itself")
    }
    return run.draft
  }

  private static func checkInside(_ path: String, key: String) throws {
    guard !path.isEmpty, !path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
      throw ManifestProblem(message: "\(key) '\(path)' must be a path inside the expert's folder")
    }
  }

  /// Names of `kv_cache_type`, on cards and in the configuration.
  package static let keyValueTypes = [KVLayout.ElementType.f16, .int8].map(\.rawValue)

  private static func keyValueType(_ run: Run) throws -> KVLayout.ElementType? {
    guard let word = run.kv_cache_type else { return nil }
    guard keyValueTypes.contains(word) else {
      throw ManifestProblem(
        message: "unknown kv_cache_type '\(word)'; known: "
          + keyValueTypes.joined(separator: ", "))
    }
    return KVLayout.ElementType(rawValue: word)
  }

  private static func reasoning(_ run: Run) throws -> ReasoningLayout.Name? {
    if let template = run.chat_template, template.hasSuffix(".jinja") {
      try checkInside(template, key: "chat_template")
    }
    guard let word = run.reasoning else { return nil }
    guard let name = ReasoningLayout.Name(rawValue: word) else {
      let known = ReasoningLayout.Name.allCases.map(\.rawValue).joined(separator: ", ")
      throw ManifestProblem(message: "unknown reasoning '\(word)'; known: \(known)")
    }
    return name
  }

  private enum RunKeys: String, CaseIterable {
    case file, checkpoint, draft, base, adapter, mixture, gate, feed_forward_slices, chat_template
    case reasoning, kv_cache_type, projector
  }

  private struct Run: Decodable {
    let file: String?
    let checkpoint: String?
    let draft: String?
    let base: String?
    let adapter: String?
    let mixture: String?
    let gate: GateDescription?
    let feed_forward_slices: Int?
    let kv_cache_type: String?
    let chat_template: String?
    let reasoning: String?
    let projector: String?

    var gating: Gating? {
      gate == nil && feed_forward_slices == nil
        ? nil : Gating(gate: gate, slices: feed_forward_slices)
    }
  }

  private struct ManifestProblem: Error { let message: String }
}

extension YamlError {
  /// One line: where, and what is wrong. The parser would quote the card's text, which is for nobody else.
  package var shortDescription: String {
    switch self {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      "line \(mark.line), column \(mark.column): \(problem)"
    case .duplicatedKeysInMapping(let names, _): "occurs twice: \(names.joined(separator: ", "))"
    default: "cannot be read as YAML"
    }
  }
}

extension DecodingError {
  /// One line: which key, and what is wrong with it.
  package var shortDescription: String {
    switch self {
    case .keyNotFound(let key, _): "key '\(key.stringValue)' is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context),
      .dataCorrupted(let context):
      "\(context.codingPath.map(\.stringValue).joined(separator: ".")): \(context.debugDescription)"
    @unknown default: "\(self)"
    }
  }
}
