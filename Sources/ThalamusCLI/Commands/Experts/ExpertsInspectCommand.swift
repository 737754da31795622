import ArgumentParser
import Foundation
import Library
import ModelFiles
import Routing
import Transformer

struct ExpertsInspectCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "An expert's card, and what its file says of itself.")

  @Argument(
    help: "An expert's id, or a GGUF file or a checkpoint's folder that is no expert yet.")
  var expert: String

  @Flag(help: "Print it as JSON.")
  var json = false

  @OptionGroup var options: ConfigurationOptions

  private struct Report: Encodable {
    var card: ExpertCard?
    var base: String?
    var draft: String?
    /// What it reads images by.
    var projector: String?
    var file: String?
    var endpoint: String?
    /// Of a model that is here.
    var model: ModelFacts?
  }

  func run() async throws {
    let report = try makeReport()
    if json {
      try Output.json(report, pretty: true)
    } else {
      Output.text(lines(report).map { "\($0.0.padded(to: 18))\($0.1)" }.joined(separator: "\n"))
    }
  }

  private func makeReport() throws -> Report {
    if expert.hasSuffix(".gguf") {
      return Report(file: expert, model: ModelFacts(try GGUFFile(path: expert)))
    }
    let settings = try options.load()
    let cards = try LibraryCards(directory: settings.models.directory)
    let manifest: ExpertManifest
    do throws(LibraryError) {
      manifest = try cards.manifest(expert)
    } catch {
      guard case .unknownExpert = error, ExpertInstaller.isCheckpoint(URL(filePath: expert)) else {
        throw error
      }
      return Report(file: expert, model: try ModelFacts(CheckpointFolder(path: expert)))
    }
    if let endpoint = manifest.endpoint {
      return Report(card: manifest.card, endpoint: "\(endpoint.model) at \(endpoint.url)")
    }
    let base = try manifest.base(among: cards.manifests)
    let standing = base ?? manifest
    if let path = standing.neededFiles.first(where: { !FileManager.default.fileExists(atPath: $0) })
    {
      throw LibraryError.missingFile(expert: expert, path: path)
    }
    return Report(
      card: manifest.card, base: base?.card.id, draft: standing.draft,
      projector: manifest.projectorPath, file: manifest.modelPath,
      model: try ModelSource(standing).facts())
  }

  private func lines(_ report: Report) -> [(String, String)] {
    var lines: [(String, String)] = []
    func add(_ name: String, _ value: (some Any)?) {
      if let value { lines.append((name, "\(value)")) }
    }
    let model = report.model
    if let card = report.card {
      add("id", card.id)
      add("name", card.name)
      add("description", card.description)
      add("kind", card.kind.rawValue)
      add("license", card.license ?? "unknown")
      add("source", card.source)
      add("released", card.released?.description)
      add("domains", card.domains.isEmpty ? nil : card.domains.joined(separator: ", "))
    } else {
      add("name", model?.name)
      add("license", model?.license)
    }
    add("endpoint", report.endpoint)
    add("file", report.file)
    add("base", report.base)
    add("draft", report.draft)
    if report.card?.readsImages == true { add("images", report.projector ?? "read") }
    guard let model else { return lines }
    add("architecture", model.architecture)
    func millions(_ count: Int) -> String { String(format: "%.1fM", Double(count) / 1e6) }
    // The file is the base's; the card counts what stands on it too.
    let total = millions(report.card?.totalParameters ?? model.totalParameters)
    let active = millions(report.card?.activeParameters ?? model.activeParameters)
    add("parameters", total == active ? total : "\(total), \(active) active")
    add("layers", model.layers)
    add("width", model.width)
    add("heads", model.heads.map { "\($0), \(model.keyValueHeads ?? $0) for keys and values" })
    add("experts", model.experts.map { "\($0), \(model.activeExperts ?? $0) active a token" })
    add("context", model.contextLength)
    add("vocabulary", model.vocabulary)
    add("tokenizer", model.tokenizer)
    add("chat template", model.hasChatTemplate ? "in the file" : "none in the file")
    for share in model.types {
      add(
        share.type, String(format: "%d tensors, %.1f MB", share.tensors, Double(share.bytes) / 1e6))
    }
    return lines
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(1, width - count))
  }
}
