import Foundation
import Transformer

/// What is fetched of a repository.
package enum HubSelection: Sendable, Equatable {
  /// A model in one GGUF file.
  case model(HubFile)
  /// A checkpoint: what tells of its weights. Which those are is read there.
  case checkpoint([HubFile])
  /// A PEFT adapter, all of it.
  case adapter([HubFile])

  /// Quantisations that are taken without one being asked for, the first that is there: Q4_K_M as others do, then the
  /// smallest of those that cost little quality, then what is larger or worse.
  package static let usual = [
    "Q4_K_M", "Q4_1", "Q4_0", "Q8_0", "Q5_K_M", "Q4_K_S", "Q5_K_S", "Q6_K", "Q5_1", "Q5_0",
    "Q3_K_L", "Q3_K_M", "MXFP4", "BF16", "F16", "F32", "Q3_K_S", "Q2_K",
  ]

  /// Chooses among a repository's files.
  package init(_ reference: HubReference, among files: [HubFile]) throws(HubError) {
    let models = files.filter { $0.name.lowercased().hasSuffix(".gguf") }
      .sorted { $0.path < $1.path }
    switch reference.choice {
    case .file(let path):
      guard let file = models.first(where: { $0.path == path }) else {
        throw .noChoice(
          "\(reference)", problem: "the repository has no such file; it has",
          files: Self.list(models))
      }
      if let obstacle = Self.obstacle(to: file) {
        throw .noChoice("\(reference)", problem: obstacle, files: [])
      }
      self = .model(file)
    case .quantization(let name):
      self = .model(try Self.model(models, name, reference))
    case .usual:
      if models.isEmpty {
        self = try Self.folder(files, reference)
      } else {
        self = .model(try Self.model(models, nil, reference))
      }
    }
  }

  // MARK: - GGUF

  /// Why a GGUF file is no model that can be read; nil where it may be one.
  static func obstacle(to file: HubFile) -> String? {
    let name = file.name.lowercased()
    if name.contains("mmproj") { return "a projector of images, no model of text" }
    if name.contains("imatrix") { return "measurements for quantising, no model" }
    if name.firstMatch(of: /-[0-9]{5}-of-[0-9]{5}\.gguf$/) != nil {
      return "one of several files with one model, which are not read"
    }
    if name.firstMatch(of: /(^|[-._])(iq|tq)[0-9]_/) != nil {
      return "in a quantisation that is not read"
    }
    return nil
  }

  /// Whether a name has the quantisation as a whole part: `Q4_K` is none of `Q4_K_M`.
  static func has(_ quantization: String, _ file: HubFile) -> Bool {
    let name = Array(file.name.dropLast(".gguf".count).lowercased().utf8)
    let part = Array(quantization.lowercased().utf8)
    func isEdge(_ byte: UInt8?, _ edges: String) -> Bool {
      byte.map { edges.utf8.contains($0) } ?? true
    }
    guard !part.isEmpty, part.count <= name.count else { return false }
    return (0...(name.count - part.count)).contains { start in
      let end = start + part.count
      return name[start..<end].elementsEqual(part)
        && isEdge(start > 0 ? name[start - 1] : nil, "-._ ")
        && isEdge(end < name.count ? name[end] : nil, "-. ")
    }
  }

  private static func model(
    _ models: [HubFile], _ quantization: String?, _ reference: HubReference
  ) throws(HubError) -> HubFile {
    let readable = models.filter { obstacle(to: $0) == nil }
    let found: [HubFile]
    if let quantization {
      found = readable.filter { has(quantization, $0) }
    } else if readable.count == 1 {
      found = readable
    } else {
      found =
        usual.lazy.map { name in readable.filter { has(name, $0) } }.first { !$0.isEmpty } ?? []
    }
    if found.count == 1 { return found[0] }
    let problem =
      if models.isEmpty {
        "the repository has no GGUF file"
      } else if readable.isEmpty {
        "the repository has no GGUF file that is read; it has"
      } else if found.isEmpty {
        quantization.map { "no file has \($0); there are" }
          ?? "which of the files is not clear; \(reference)/FILE names one of"
      } else {
        "several files have it; hf:\(reference.repository)/FILE names one of"
      }
    throw .noChoice(
      "\(reference)", problem: problem, files: list(found.count > 1 ? found : models))
  }

  /// Files for people to choose from: those that can't be read with the reason.
  private static func list(_ files: [HubFile]) -> [String] {
    let most = 60
    var lines = files.prefix(most).map { file in
      let size = String(format: "%.0f MB", Double(file.byteCount) / 1e6)
      return "\(file.path) (\(size)\(obstacle(to: file).map { "; \($0)" } ?? ""))"
    }
    if files.count > most { lines.append("and \(files.count - most) more") }
    return lines
  }

  // MARK: - Folders

  private static func folder(
    _ files: [HubFile], _ reference: HubReference
  ) throws(HubError) -> HubSelection {
    // What lies in folders is of other models, or of other programs.
    let beside = Dictionary(files.map { ($0.path, $0) }) { first, _ in first }
    func all(_ names: [String]) -> [HubFile]? {
      let found = names.compactMap { beside[$0] }
      return found.count == names.count ? found : nil
    }
    if let adapter = all(ExpertInstaller.adapterFiles) { return .adapter(adapter) }
    let optional = ExpertInstaller.optionalCheckpointFiles.compactMap { beside[$0] }
    if let needed = all(ExpertInstaller.neededCheckpointFiles),
      beside[CheckpointFiles.singleName] != nil || beside[CheckpointFiles.indexName] != nil
    {
      return .checkpoint(needed + optional)
    }
    throw .noChoice(
      "\(reference)",
      problem: "the repository has no GGUF file, no checkpoint (config.json, tokenizer.json, "
        + "\(CheckpointFiles.singleName)) and no PEFT adapter (adapter_config.json, "
        + "adapter_model.safetensors); it has", files: list(files))
  }
}
