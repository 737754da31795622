import Foundation
import HTTP
import Server
import Testing

/// Decodes a body as a route does.
func decode<Body: Decodable>(_ type: Body.Type, _ json: String) throws(APIError) -> Body {
  try JSONCoding.decode(type, from: HTTPRequest(.post, "/", body: Array(json.utf8)))
}

/// What a client reads of an error.
struct Refusal: Equatable {
  var status: Int
  var code: String
  var param: String?

  init(_ error: APIError) {
    status = error.status.code
    code = error.code
    param = error.param
  }

  init(_ status: Int, _ code: String, _ param: String?) {
    self.status = status
    self.code = code
    self.param = param
  }
}

/// What is answered to a bad body; nil where it is taken.
func refusal<Body: Decodable>(of type: Body.Type, _ json: String) -> Refusal? {
  do {
    _ = try decode(type, json)
    return nil
  } catch {
    return Refusal(error)
  }
}

/// A JSON object as untyped values.
func object(_ bytes: [UInt8]) throws -> [String: Any] {
  try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
}

extension HTTPResponse {
  /// The body that is there at once; empty for a stream.
  var bytes: [UInt8] {
    if case .bytes(let bytes) = body { bytes } else { [] }
  }

  var text: String { String(decoding: bytes, as: UTF8.self) }
}
