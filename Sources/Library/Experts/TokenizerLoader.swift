import Foundation
import Tokenization

/// A tokenizer alone, without the weights beside it.
package enum TokenizerLoader {
  /// The tokenizer of an expert, or of the encoder.
  package static func tokenizer(
    named id: String, modelsDirectory: String
  ) throws -> any Tokenizer {
    let encoder = modelsDirectory + "/" + id
    if FileManager.default.fileExists(atPath: encoder + "/encoder.yaml") {
      let manifest = try EncoderManifest.load(folder: encoder)
      return try WordPieceTokenizer(
        vocabularyPath: encoder + "/" + manifest.vocabulary, maximumTokens: manifest.maxTokens)
    }
    let cards = try LibraryCards(directory: modelsDirectory)
    let found = try cards.manifest(id)
    guard found.endpoint == nil else {
      throw LibraryError.unloadable(
        expert: id, problem: "it is remote, and its tokenizer is not here")
    }
    let manifest = try found.base(among: cards.manifests) ?? found
    if let path = manifest.neededFiles.first(where: { !FileManager.default.fileExists(atPath: $0) })
    {
      throw LibraryError.missingFile(expert: id, path: path)
    }
    return try ModelSource(manifest).tokenizer()
  }
}
