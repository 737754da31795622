import HTTP

/// Lets pages of other origins call the server from a browser, where the configuration names them
/// (the Fetch standard's CORS protocol). What the connection itself refuses, a body that is too large
/// say, is not marked: a page sees that it failed and not why.
///
/// A server on 127.0.0.1 is within reach of every page that its user opens: none may read its answers
/// unless the operator says so.
package struct CrossOrigin: Sendable {
  private let origins: Set<String>

  /// - Parameter origins: Such as `http://localhost:3000`, or `*` for all; none turns this off.
  package init(origins: [String]) {
    self.origins = Set(origins.map { $0.lowercased() })
  }

  /// What a page may read of an answer besides its body.
  private static let exposedHeaders =
    "x-thalamus-expert, x-thalamus-decision, request-id, Retry-After"

  /// A handler that answers these pages too.
  package func wrap(_ handler: @escaping HTTPHandler) -> HTTPHandler {
    guard !origins.isEmpty else { return handler }
    return { request in
      var response = await handler(request)
      guard let allowed = allowedOrigin(of: request) else {
        // The same address answers others otherwise: a cache must know.
        response.headers.add("Vary", "Origin")
        return response
      }
      mark(&response, for: request, allowed: allowed)
      return response
    }
  }

  /// The same for what is refused by its head alone. A browser asks without a key whether it may ask with
  /// one; it does so without a body, and what has none is not looked at here.
  package func wrap(_ check: HTTPHeadCheck?) -> HTTPHeadCheck? {
    guard !origins.isEmpty, let check else { return check }
    return { request in
      guard let allowed = allowedOrigin(of: request) else { return check(request) }
      guard var refusal = check(request) else { return nil }
      mark(&refusal, for: request, allowed: allowed)
      return refusal
    }
  }

  private func mark(
    _ response: inout HTTPResponse, for request: HTTPRequest, allowed: String
  ) {
    response.headers.set("Access-Control-Allow-Origin", allowed)
    response.headers.add("Vary", "Origin")
    guard Self.isPreflight(request) else {
      response.headers.set("Access-Control-Expose-Headers", Self.exposedHeaders)
      return
    }
    let methods = response.headers["Allow"] ?? "GET, POST, HEAD, OPTIONS"
    response.headers.set("Access-Control-Allow-Methods", methods)
    // Clients send headers of their own (openai-js some ten): none of them means anything here.
    let asked = request.headers["Access-Control-Request-Headers"] ?? "Authorization, Content-Type"
    response.headers.set("Access-Control-Allow-Headers", asked)
    response.headers.set("Access-Control-Max-Age", "600")
  }

  private func allowedOrigin(of request: HTTPRequest) -> String? {
    guard let origin = request.headers["Origin"] else { return nil }
    if origins.contains("*") { return "*" }
    return origins.contains(origin.lowercased()) ? origin : nil
  }

  private static func isPreflight(_ request: HTTPRequest) -> Bool {
    request.method == .options && request.headers.contains("Access-Control-Request-Method")
  }
}
