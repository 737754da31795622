import Foundation
import Yams

/// `models/<encoder>/encoder.yaml`: the sentence encoder's files.
package struct EncoderManifest: Sendable, Decodable, Equatable {
  package let id: String
  package let weights: String
  package let vocabulary: String
  package let configuration: String
  /// Longest input in tokens, the two around the text included; the rest is cut off.
  package let maxTokens: Int
  /// Layers, from the first, that kNN and ridge look at a prompt through; nil for all.
  package let routerLayers: Int?

  private enum CodingKeys: String, CodingKey {
    case id, weights, vocabulary, configuration
    case maxTokens = "max_tokens"
    case routerLayers = "router_layers"
  }

  /// Reads and checks an encoder's card.
  package static func load(folder: String) throws(LibraryError) -> EncoderManifest {
    let path = folder + "/encoder.yaml"
    let manifest: EncoderManifest
    do {
      manifest = try YAMLDecoder().decode(
        EncoderManifest.self, from: try String(contentsOfFile: path, encoding: .utf8))
    } catch let error as DecodingError {
      throw .invalidCard(path: path, problem: error.shortDescription)
    } catch {
      throw .invalidCard(path: path, problem: "cannot be read")
    }
    guard (3...8192).contains(manifest.maxTokens) else {
      throw .invalidCard(path: path, problem: "max_tokens must be 3 to 8192")
    }
    return manifest
  }
}
