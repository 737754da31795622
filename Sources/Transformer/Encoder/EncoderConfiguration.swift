import Foundation

/// The sizes of a BERT encoder, as its `config.json` states them.
package struct EncoderConfiguration: Sendable, Equatable {
  package var vocabularySize: Int
  package var width: Int
  package var layerCount: Int
  package var headCount: Int
  package var feedForwardWidth: Int
  /// Longest text, the classification and separator tokens included.
  package var maximumPositions: Int
  package var normEpsilon: Float

  package var headDim: Int { width / headCount }
  /// What scores are multiplied with.
  var attentionScale: Float { 1 / Float(headDim).squareRoot() }

  /// Reads and checks `config.json`.
  package init(json: Data) throws(ModelError) {
    let file: File
    do {
      file = try JSONDecoder().decode(File.self, from: json)
    } catch {
      throw .invalidValue(key: "config.json", value: "unreadable", expected: "\(error)")
    }
    guard let type = file.model_type else { throw .missingKey("model_type") }
    guard type == "bert" else { throw .unsupported(key: "model_type", value: type) }
    if let activation = file.hidden_act, activation != "gelu" {
      throw .unsupported(key: "hidden_act", value: activation)
    }
    if let positions = file.position_embedding_type, positions != "absolute" {
      throw .unsupported(key: "position_embedding_type", value: positions)
    }
    typealias Limit = DecoderConfiguration.Limit
    vocabularySize = try Self.size(file.vocab_size, "vocab_size", Limit.vocabularySize)
    width = try Self.size(file.hidden_size, "hidden_size", Limit.width)
    layerCount = try Self.size(file.num_hidden_layers, "num_hidden_layers", Limit.layerCount)
    headCount = try Self.size(file.num_attention_heads, "num_attention_heads", Limit.headCount)
    feedForwardWidth = try Self.size(
      file.intermediate_size, "intermediate_size", Limit.feedForwardWidth)
    maximumPositions = try Self.size(
      file.max_position_embeddings, "max_position_embeddings", 1 << 16)
    normEpsilon = file.layer_norm_eps ?? 1e-12
    guard width.isMultiple(of: headCount), (width / headCount).isMultiple(of: 8) else {
      throw .invalidValue(
        key: "num_attention_heads", value: "\(headCount)",
        expected: "a divisor of hidden_size \(width), heads a multiple of 8 wide")
    }
    guard normEpsilon >= 0, normEpsilon < 1 else {
      throw .invalidValue(key: "layer_norm_eps", value: "\(normEpsilon)", expected: "0 to 1")
    }
  }

  private static func size(
    _ value: Int?, _ key: String, _ limit: Int
  ) throws(ModelError) -> Int {
    guard let value else { throw .missingKey(key) }
    guard (1...limit).contains(value) else {
      throw .invalidValue(key: key, value: "\(value)", expected: "1 to \(limit)")
    }
    return value
  }

  /// The file's own names.
  private struct File: Decodable {
    var model_type: String?
    var hidden_act: String?
    var position_embedding_type: String?
    var vocab_size: Int?
    var hidden_size: Int?
    var num_hidden_layers: Int?
    var num_attention_heads: Int?
    var intermediate_size: Int?
    var max_position_embeddings: Int?
    var layer_norm_eps: Float?
  }
}
