import Foundation
import Transformer

/// What is fetched of a repository.
package enum HubSelection: Sendable, Equatable {
  /// A model in GGUF's form.
  case model(HubModel)
  /// A checkpoint: what tells of its weights. Which those are is read there.
  case checkpoint([HubFile])
  /// A PEFT adapter, all of it.
  case adapter([HubFile])

  /// Quantisations that are taken without one being asked for, the first that is there: Q4_K_M as others do, then the
  /// smallest of those that cost little quality, then what is larger or worse.
  package static let usual = [
    "Q4_K_M", "Q4_1", "Q4_0", "Q8_0", "Q5_K_M", "Q4_K_S", "IQ4_XS", "IQ4_NL", "Q5_K_S", "Q6_K",
    "Q5_1", "Q5_0",
    "Q3_K_L", "Q3_K_M", "MXFP4", "BF16", "F16", "F32", "Q3_K_S", "Q2_K",
  ]

  /// Chooses among a repository's files.
  package init(_ reference: HubReference, among files: [HubFile]) throws(HubError) {
    let models = HubModel.all(among: files)
    switch reference.choice {
    case .file(let path):
      guard let model = models.first(where: { $0.files.contains { $0.path == path } }) else {
        throw .noChoice(
          "\(reference)", problem: "the repository has no such file; it has",
          files: Self.list(models.map(\.line)))
      }
      if let obstacle = model.obstacle {
        throw .noChoice("\(reference)", problem: obstacle, files: [])
      }
      self = .model(model)
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

  private static func model(
    _ models: [HubModel], _ quantization: String?, _ reference: HubReference
  ) throws(HubError) -> HubModel {
    let readable = models.filter { $0.obstacle == nil }
    let found: [HubModel]
    if let quantization {
      found = readable.filter { $0.has(quantization) }
    } else if readable.count == 1 {
      found = readable
    } else {
      found =
        usual.lazy.map { name in readable.filter { $0.has(name) } }.first { !$0.isEmpty } ?? []
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
      "\(reference)", problem: problem, files: list((found.count > 1 ? found : models).map(\.line)))
  }

  /// What people can choose from.
  private static func list(_ lines: [String]) -> [String] {
    let most = 60
    return lines.prefix(most) + (lines.count > most ? ["and \(lines.count - most) more"] : [])
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
        + "adapter_model.safetensors); it has", files: list(files.map(\.line)))
  }
}
