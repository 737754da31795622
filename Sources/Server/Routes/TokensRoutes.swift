import HTTP
import JSON
import Thalamus
import Tokenization

/// `POST /tokenize` and `POST /detokenize`, as llama-server has them, of the expert that `model` names.
struct TokensRoutes: Sendable {
  let service: ThalamusService

  /// `{"tokens": [1, 2]}`, or with pieces `{"tokens": [{"id": 1, "piece": "a"}]}`, where a piece that is no text by
  /// itself is a list of its bytes.
  func tokenize(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(TokenizeBody.self, from: request)
    let model = service.aliases.model(body.model)
    let found =
      model == "auto"
      ? try await service.tokenizer(for: RoutingRequest(input: .continuation(body.content)))
      : try await service.tokenizer(of: model)
    let tokens = found.tokenizer.encode(
      body.content, addSpecial: body.addsSpecial, parseSpecial: body.parsesSpecial)
    let list = tokens.map { token -> JSONValue in
      guard body.withPieces else { return .int(Int(token)) }
      let bytes = found.tokenizer.bytes(of: token)
      let piece =
        String(validating: bytes, as: UTF8.self).map { JSONValue.string($0) }
        ?? .array(bytes.map { .int(Int($0)) })
      return .object([("id", .int(Int(token))), ("piece", piece)])
    }
    return Self.response([("tokens", .array(list))], by: found)
  }

  /// `{"content": "text"}`: all that the tokens stand for, names of control tokens and the space before a text among it.
  func detokenize(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(DetokenizeBody.self, from: request)
    let model = service.aliases.model(body.model)
    guard model != "auto" else {
      throw APIError.badRequest(
        "'model' must name an expert: each has tokens of its own", code: "missing_field",
        param: "model")
    }
    let found = try await service.tokenizer(of: model)
    let tokens: [Int32]
    do {
      tokens = try found.tokens(body.tokens)
    } catch {
      var refusal = APIError(error)
      refusal.param = "tokens"
      throw refusal
    }
    let text = String(decoding: found.bytes(of: tokens), as: UTF8.self)
    return Self.response([("content", .string(text))], by: found)
  }

  private static func response(
    _ pairs: [(key: String, value: JSONValue)], by found: ThalamusService.ExpertTokenizer
  ) -> HTTPResponse {
    var response = HTTPResponse.json(JSONValue.object(pairs).json)
    response.headers.set("x-thalamus-expert", found.expert)
    return response
  }
}
