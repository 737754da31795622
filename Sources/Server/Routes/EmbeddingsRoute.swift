import Foundation
import HTTP
import Thalamus

/// `POST /v1/embeddings`: the router's sentence encoder, for everybody.
struct EmbeddingsRoute: Sendable {
  let service: ThalamusService

  private struct Reply: Encodable {
    struct Item: Encodable {
      let object = "embedding"
      let index: Int
      let embedding: Vector

      private enum CodingKeys: String, CodingKey { case object, index, embedding }
    }

    struct Usage: Encodable {
      let prompt_tokens: Int
      let total_tokens: Int
    }

    let object = "list"
    let data: [Item]
    let model: String
    let usage: Usage

    private enum CodingKeys: String, CodingKey { case object, data, model, usage }
  }

  private enum Vector: Encodable {
    case floats([Float])
    case base64(String)

    func encode(to encoder: any Encoder) throws {
      var value = encoder.singleValueContainer()
      switch self {
      case .floats(let floats): try value.encode(floats)
      case .base64(let text): try value.encode(text)
      }
    }
  }

  func handle(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(EmbeddingsBody.self, from: request)
    let encoder = service.encoderName
    if let model = body.model.map({ service.aliases.model($0) }), model != encoder, model != "auto"
    {
      throw APIError(
        status: .notFound, message: "no encoder '\(model.prefix(100))'; known: \(encoder)",
        code: "model_not_found", param: "model")
    }
    if let asked = body.dimensions, asked != service.encoderDimension {
      throw APIError.badRequest(
        "'dimensions' can only be \(service.encoderDimension), what \(encoder) gives",
        code: "unsupported_value", param: "dimensions")
    }
    let embedded = try await service.embed(body.texts)
    let items = embedded.vectors.enumerated().map { index, vector in
      switch body.format {
      case .float: Reply.Item(index: index, embedding: .floats(vector))
      case .base64:
        Reply.Item(
          index: index,
          embedding: .base64(vector.withUnsafeBytes { Data($0).base64EncodedString() }))
      }
    }
    return JSONCoding.response(
      Reply(
        data: items, model: encoder,
        usage: .init(prompt_tokens: embedded.tokenCount, total_tokens: embedded.tokenCount)))
  }
}
