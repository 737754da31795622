/// Redirects, for requests that ask for a thing wherever it is.
extension HTTPClient {
  /// Asks by GET, and goes where redirects lead: to https, or to http where the request's own URL is of http. What is
  /// secret in the headers is for the first server alone.
  package func get(
    _ request: HTTPClientRequest, redirects: Int = 5
  ) async throws(HTTPClientError) -> HTTPClientResponse {
    try await follow(request, redirects: redirects, into: nil)
  }

  /// Headers that no other server than the one asked may see.
  private static let secrets = ["authorization", "proxy-authorization", "cookie", "x-api-key"]

  func follow(
    _ request: HTTPClientRequest, redirects: Int, into file: DownloadFile?
  ) async throws(HTTPClientError) -> HTTPClientResponse {
    guard request.body == nil else {
      throw .invalidRequest("what is posted is not sent where a redirect leads")
    }
    var request = request
    var place = try HTTPAddress(request.url)
    let mayBePlain = place.scheme == "http"
    for _ in 0...max(0, redirects) {
      let response = try await send(request, into: file)
      guard [301, 302, 303, 307, 308].contains(response.status),
        let location = response.headers["location"]
      else { return response }
      let next: HTTPAddress
      do {
        next = try place.resolving(location)
      } catch {
        throw .redirectRefused("\(place.host) leads to '\(location.prefix(200))', which is no URL")
      }
      guard mayBePlain || next.scheme == "https" else {
        throw .redirectRefused("\(place.host) leads to \(next.host) without TLS")
      }
      if !next.isSameServer(as: place) {
        // Not even where a later redirect leads back.
        request.headers.removeAll { Self.secrets.contains($0.name.lowercased()) }
      }
      place = next
      request.url = next.url
    }
    throw .redirectRefused("\(place.host) leads on, after \(redirects) redirects")
  }
}
