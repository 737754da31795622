import HTTP

/// The text of server-sent events, one JSON value each.
package enum ServerSentEvents {
  package static let contentType = "text/event-stream"

  /// `data: {json}`, with the event's name where it has one.
  package static func event(_ value: some Encodable, name: String? = nil) -> [UInt8] {
    event(json: JSONCoding.encode(value), name: name)
  }

  /// The same of a value that is JSON already, on one line.
  package static func event(json: [UInt8], name: String? = nil) -> [UInt8] {
    var bytes: [UInt8] = []
    if let name { bytes += Array("event: \(name)\n".utf8) }
    bytes += Array("data: ".utf8)
    bytes += json
    bytes += [10, 10]
    return bytes
  }

  /// How OpenAI's API ends a stream.
  package static let done = Array("data: [DONE]\n\n".utf8)

  /// A streamed response that proxies are asked not to buffer.
  ///
  /// - Parameter contentType: Where it is a stream of another kind.
  package static func response(
    _ contentType: String = contentType,
    _ produce: @escaping @Sendable (HTTPBodyWriter) async throws -> Void
  ) -> HTTPResponse {
    var response = HTTPResponse.stream(contentType: contentType, produce)
    response.headers.set("Cache-Control", "no-cache")
    response.headers.set("X-Accel-Buffering", "no")
    return response
  }
}
