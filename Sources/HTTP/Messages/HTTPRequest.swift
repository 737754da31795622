/// A whole request: the head, and the body read to its end.
package struct HTTPRequest: Sendable {
  package var method: HTTPMethod
  /// The path as sent, before percent-decoding, without the query. Starts with `/` (or is `*`).
  package var rawPath: String
  /// The query as sent, without its `?`; nil where there is no `?`.
  package var rawQuery: String?
  package var version: HTTPVersion
  package var headers: HTTPHeaders
  package var body: [UInt8]
  /// The numeric address of the peer, without port; empty where unknown.
  package var remoteAddress: String
  /// What the router found at the `{name}` places of the route's pattern, percent-decoded.
  package var pathParameters: [String: String] = [:]

  package init(
    method: HTTPMethod, rawPath: String, rawQuery: String? = nil, version: HTTPVersion = .http11,
    headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = [], remoteAddress: String = ""
  ) {
    self.method = method
    self.rawPath = rawPath
    self.rawQuery = rawQuery
    self.version = version
    self.headers = headers
    self.body = body
    self.remoteAddress = remoteAddress
  }

  /// A request to `target` (a path, with or without a query); for tests and for in-process calls.
  package init(
    _ method: HTTPMethod, _ target: String, headers: HTTPHeaders = HTTPHeaders(),
    body: [UInt8] = []
  ) {
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    self.init(
      method: method, rawPath: parts.first.map(String.init) ?? "/",
      rawQuery: parts.count > 1 ? String(parts[1]) : nil, headers: headers, body: body)
  }

  /// The path, percent-decoded. An escaped slash is a slash here; the router splits `rawPath`.
  package var path: String { PercentEncoding.decode(rawPath, plusIsSpace: false) }

  /// The query's pairs in order, percent-decoded, `+` read as a space. A name without `=` has an
  /// empty value.
  package var query: [(name: String, value: String)] {
    guard let rawQuery, !rawQuery.isEmpty else { return [] }
    return rawQuery.split(separator: "&").map { pair in
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let value = parts.count > 1 ? parts[1] : ""
      return (
        PercentEncoding.decode(parts.first ?? "", plusIsSpace: true),
        PercentEncoding.decode(value, plusIsSpace: true)
      )
    }
  }

  /// The first value of `name` in the query.
  package func queryValue(_ name: String) -> String? {
    rawQuery == nil ? nil : query.first { $0.name == name }?.value
  }
}
