import Foundation
import Routing
import Yams

/// `models/<id>/expert.yaml`: an expert's card, and how the expert is run.
package struct ExpertManifest: Sendable, Equatable {
  package let card: ExpertCard
  /// Folder that `file` is in.
  package let folder: String
  /// Weights, relative to `folder`.
  package let file: String
  /// Name of a built-in chat template or a template's text; nil takes the one in the weights.
  package let chatTemplate: String?

  package var modelPath: String { folder + "/" + file }

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
    } catch let error as DecodingError {
      throw .invalidCard(path: path, problem: error.shortDescription)
    } catch {
      throw .invalidCard(path: path, problem: "\(error)")
    }
  }

  private static func parse(yaml: String, folder: String) throws -> ExpertManifest {
    let known = ExpertCard.CodingKeys.allCases.map(\.rawValue) + RunKeys.allCases.map(\.rawValue)
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
    let run = try decoder.decode(Run.self, from: yaml)
    guard !run.file.isEmpty, !run.file.hasPrefix("/"),
      !run.file.split(separator: "/").contains("..")
    else {
      throw ManifestProblem(message: "file '\(run.file)' must be a path inside the expert's folder")
    }
    return ExpertManifest(
      card: card, folder: folder, file: run.file, chatTemplate: run.chat_template)
  }

  private enum RunKeys: String, CaseIterable { case file, chat_template }

  private struct Run: Decodable {
    let file: String
    let chat_template: String?
  }

  private struct ManifestProblem: Error { let message: String }
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
