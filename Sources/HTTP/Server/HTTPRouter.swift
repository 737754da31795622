/// Finds the handler for a request by method and path.
///
/// A pattern is a path whose segments are literal, or `{name}` for any one segment, which the
/// handler finds percent-decoded in ``HTTPRequest/pathParameters``. Literal segments win over
/// named ones. `HEAD` is answered by `GET`'s handler and `OPTIONS` by the router; an unknown path
/// is 404, an unknown method 405 with `Allow`.
package struct HTTPRouter: Sendable {
  private enum Segment: Sendable, Equatable {
    case literal(String)
    case parameter(String)
  }

  private struct Route: Sendable {
    let pattern: [Segment]
    var handlers: [(method: HTTPMethod, handler: HTTPHandler)] = []

    func handler(for method: HTTPMethod) -> HTTPHandler? {
      if let exact = handlers.first(where: { $0.method == method }) { return exact.handler }
      return method == .head ? handlers.first { $0.method == .get }?.handler : nil
    }

    /// The methods for `Allow`.
    var allowed: String {
      var names = handlers.map(\.method.rawValue)
      if names.contains("GET"), !names.contains("HEAD") { names.append("HEAD") }
      if !names.contains("OPTIONS") { names.append("OPTIONS") }
      return names.joined(separator: ", ")
    }
  }

  /// Routes without parameters, by path.
  private var fixedRoutes: [String: Route] = [:]
  private var patternRoutes: [Route] = []
  private let errorRenderer: HTTPErrorRenderer

  package init(errorRenderer: @escaping HTTPErrorRenderer = HTTPErrorDescription.jsonRenderer) {
    self.errorRenderer = errorRenderer
  }

  /// Has `handler` answer `method` at the paths that match `pattern`, as in `/decisions/{id}`.
  package mutating func on(
    _ method: HTTPMethod, _ pattern: String, _ handler: @escaping HTTPHandler
  ) {
    let segments = Self.segments(pattern).map { segment -> Segment in
      segment.hasPrefix("{") && segment.hasSuffix("}")
        ? .parameter(String(segment.dropFirst().dropLast())) : .literal(String(segment))
    }
    let isFixed = segments.allSatisfy { if case .literal = $0 { true } else { false } }
    if isFixed {
      fixedRoutes[pattern, default: Route(pattern: segments)].handlers.append((method, handler))
    } else if let index = patternRoutes.firstIndex(where: { $0.pattern == segments }) {
      patternRoutes[index].handlers.append((method, handler))
    } else {
      patternRoutes.append(Route(pattern: segments, handlers: [(method, handler)]))
      // Literal before parameter, segment by segment; the order of adding otherwise.
      patternRoutes.sort { Self.isMoreExact($0.pattern, $1.pattern) }
    }
  }

  /// Methods with the patterns of their paths, in no particular order.
  package var routes: [(method: HTTPMethod, pattern: String)] {
    (Array(fixedRoutes.values) + patternRoutes).flatMap { route in
      let pattern = route.pattern.map { segment in
        switch segment {
        case .literal(let text): "/" + text
        case .parameter(let name): "/{\(name)}"
        }
      }.joined()
      return route.handlers.map { ($0.method, pattern) }
    }
  }

  /// Answers `request`.
  package func handle(_ request: HTTPRequest) async -> HTTPResponse {
    var request = request
    guard let route = find(&request) else {
      if request.rawPath == "*", request.method == .options {
        return HTTPResponse(status: .noContent)
      }
      return errorRenderer(
        HTTPErrorDescription(
          status: .notFound, message: "There is nothing at \(request.path).", code: "not_found"),
        request)
    }
    if let handler = route.handler(for: request.method) { return await handler(request) }
    if request.method == .options {
      return HTTPResponse(status: .noContent, headers: ["Allow": route.allowed])
    }
    var response = errorRenderer(
      HTTPErrorDescription(
        status: .methodNotAllowed,
        message: "\(request.path) takes \(route.allowed), not \(request.method).",
        code: "method_not_allowed"), request)
    response.headers.set("Allow", route.allowed)
    return response
  }

  /// This router as a server's handler.
  package var handler: HTTPHandler {
    { [self] in await handle($0) }
  }

  private func find(_ request: inout HTTPRequest) -> Route? {
    if let route = fixedRoutes[request.rawPath] { return route }
    // Split first, then decode: an escaped slash is part of a segment.
    let segments = Self.segments(request.rawPath).map {
      PercentEncoding.decode($0, plusIsSpace: false)
    }
    if request.rawPath.utf8.contains(ASCII.percent),
      let route = fixedRoutes.values.first(where: { Self.match($0.pattern, segments) != nil })
    {
      return route
    }
    for route in patternRoutes {
      if let parameters = Self.match(route.pattern, segments) {
        request.pathParameters = parameters
        return route
      }
    }
    return nil
  }

  private static func segments(_ path: String) -> [Substring] {
    path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
  }

  private static func match(_ pattern: [Segment], _ segments: [String]) -> [String: String]? {
    guard pattern.count == segments.count else { return nil }
    var parameters: [String: String] = [:]
    for (expected, segment) in zip(pattern, segments) {
      switch expected {
      case .literal(let text): guard text == segment else { return nil }
      case .parameter(let name):
        guard !segment.isEmpty else { return nil }
        parameters[name] = segment
      }
    }
    return parameters
  }

  private static func isMoreExact(_ left: [Segment], _ right: [Segment]) -> Bool {
    for (a, b) in zip(left, right) {
      switch (a, b) {
      case (.literal, .parameter): return true
      case (.parameter, .literal): return false
      default: continue
      }
    }
    return false
  }
}
