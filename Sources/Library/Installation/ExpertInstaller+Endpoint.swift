import Foundation
import Routing
import Yams

extension ExpertInstaller {
  /// What is known of a remote expert beside its endpoint.
  package struct EndpointDetails: Sendable {
    /// The endpoint's name for the model; nil takes the expert's id.
    package var model: String?
    package var keyVariable: String?
    package var keyFile: String?
    package var promptPrice: Double?
    package var completionPrice: Double?
    package var expectedLossRatio: Double?
    package var contextLength: Int?
    package var readsImages = false
    /// Where prompts go; nil leaves it to the address.
    package var runs: String?

    package init() {}
  }

  /// Adds an OpenAI-compatible endpoint as an expert: a folder with its card. Nothing is sent there.
  package func add(
    endpoint url: String, _ endpoint: EndpointDetails, details: Details
  ) throws(LibraryError) -> ExpertManifest {
    guard let name = details.id ?? endpoint.model else {
      throw .notInstallable(path: url, problem: "--model, the endpoint's name for it, is missing")
    }
    let id = if let id = details.id { id } else { try Self.id(from: name) }
    let folder = try newFolder(id, for: url)
    var card = common(id, name: endpoint.model, license: nil, details)
    card.append(("kind", Node("remote")))
    card.append(("endpoint", Node(url)))
    func add(_ key: String, _ value: String?) {
      if let value { card.append((key, Node(value))) }
    }
    add("model", endpoint.model)
    add("api_key_env", endpoint.keyVariable)
    add("api_key_file", endpoint.keyFile)
    add("runs", endpoint.runs)
    add("context_length", endpoint.contextLength.map(String.init))
    add("reads_images", endpoint.readsImages ? "true" : nil)
    add("prompt_price_usd_per_million_tokens", endpoint.promptPrice?.description)
    add("completion_price_usd_per_million_tokens", endpoint.completionPrice?.description)
    add("expected_loss_ratio", endpoint.expectedLossRatio?.description)
    return try install(card, in: folder, for: url) {}
  }

  /// The folder of a new expert, which is not there yet.
  func newFolder(_ id: String, for source: String) throws(LibraryError) -> String {
    do throws(RoutingError) {
      // Before it becomes part of a path.
      try ExpertCard(id: id).validate()
    } catch {
      throw .notInstallable(path: source, problem: error.description)
    }
    let folder = directory + "/" + id
    guard !FileManager.default.fileExists(atPath: folder) else {
      throw .notInstallable(path: source, problem: "\(folder) is there already; --id names another")
    }
    return folder
  }

  /// Writes a card and what belongs to it, and reads it as a server would. Nothing is left behind where that fails.
  func install(
    _ card: [(String, Node)], in folder: String, for source: String, files: () throws -> Void
  ) throws(LibraryError) -> ExpertManifest {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw .notInstallable(path: source, problem: "\(folder) cannot be made")
    }
    do {
      let text = try Yams.serialize(
        node: Node(card.map { (Node($0.0), $0.1) }), allowUnicode: true)
      try Data(text.utf8).write(to: URL(filePath: folder + "/expert.yaml"))
      try files()
      let manifest = try ExpertManifest.load(folder: folder)
      // Also whether its base is there.
      _ = try LibraryCards(directory: directory).manifest(manifest.card.id)
      return manifest
    } catch {
      try? FileManager.default.removeItem(atPath: folder)
      if let error = error as? LibraryError { throw error }
      throw .notInstallable(path: source, problem: "\(error)")
    }
  }
}
