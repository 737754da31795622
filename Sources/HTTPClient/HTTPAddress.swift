import CCurl

/// A URL as libcurl reads it. Another reader might see another host in it than the one that is asked then.
package struct HTTPAddress: Sendable, Equatable {
  package let url: String
  /// `http` or `https`.
  package let scheme: String
  package let host: String
  /// The scheme's own where the URL has none.
  package let port: String

  /// - Throws: `invalidRequest` for what is no URL of http or https, and for one with a user's name in it.
  package init(_ text: String) throws(HTTPClientError) { try self.init([text]) }

  /// Where a reference leads from here: a URL, or a path.
  package func resolving(_ reference: String) throws(HTTPClientError) -> HTTPAddress {
    try HTTPAddress([url, reference])
  }

  /// Whether both are of one server: what is secret for the one may be told to the other.
  package func isSameServer(as other: HTTPAddress) -> Bool {
    scheme == other.scheme && host == other.host && port == other.port
  }

  /// A URL, and references from it.
  private init(_ texts: [String]) throws(HTTPClientError) {
    guard let handle = curl_url() else { throw .invalidRequest("libcurl has no memory for a URL") }
    defer { curl_url_cleanup(handle) }
    for text in texts {
      guard curl_url_set(handle, CURLUPART_URL, text, UInt32(CURLU_DISALLOW_USER)) == CURLUE_OK
      else {
        throw .invalidRequest("'\(text.prefix(200))' is no URL of http or https")
      }
    }
    func part(_ part: CURLUPart, flags: UInt32 = 0) -> String {
      var text: UnsafeMutablePointer<CChar>?
      guard curl_url_get(handle, part, &text, flags) == CURLUE_OK, let text else { return "" }
      defer { curl_free(text) }
      return String(cString: text)
    }
    scheme = part(CURLUPART_SCHEME).lowercased()
    host = part(CURLUPART_HOST).lowercased()
    port = part(CURLUPART_PORT, flags: UInt32(CURLU_DEFAULT_PORT))
    url = part(CURLUPART_URL)
    guard ["http", "https"].contains(scheme), !host.isEmpty else {
      throw .invalidRequest("'\(url.prefix(200))' is no URL of http or https")
    }
  }
}
