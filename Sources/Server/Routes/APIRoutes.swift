import HTTP
import Library
import Thalamus

/// All routes of the server, with authorisation and errors around them.
package struct APIRoutes: Sendable {
  private let router: HTTPRouter
  private let authorization: Authorization
  private let crossOrigin: CrossOrigin

  /// Routes that need no key.
  private static let openPaths = [
    "/", "/dashboard.js", "/healthz", "/health", "/readyz", "/openapi.json",
  ]

  package init(service: ThalamusService) {
    let authorization = Authorization(
      keys: service.configuration.server.apiKeys, ring: service.keys)
    self.authorization = authorization
    crossOrigin = CrossOrigin(origins: service.configuration.server.corsOrigins)
    let hosts = AllowedHosts(service.configuration.server)
    var router = HTTPRouter(errorRenderer: Self.errorRenderer)

    func open(
      _ path: String, _ handle: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse
    ) {
      router.on(.get, path) { request in await Self.answer(request, handle) }
    }
    // Reading a large body, tokenising and embedding take time that the event loop's thread does
    // not have: such handlers run elsewhere.
    func guarded(
      _ method: HTTPMethod, _ path: String,
      _ handle: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse
    ) {
      router.on(method, path) { request in
        await withTaskExecutorPreference(globalConcurrentExecutor) {
          await Self.answer(request) { request in
            if !authorization.isOn { try hosts.check(request) }
            let key = try authorization.check(request)
            if let key, let seconds = service.requestRate.take(key) {
              throw APIError.tooManyRequests(of: key, retryAfterSeconds: seconds)
            }
            let hops = request.headers[RemoteExpert.hopsHeader].flatMap { Int($0) } ?? 0
            let trace = request.headers["traceparent"].flatMap { TraceContext(traceparent: $0) }
            return try await APIKey.$current.withValue(key) {
              try await TraceContext.$current.withValue(trace) {
                try await RemoteExpert.$hops.withValue(max(0, hops)) {
                  try await handle(request)
                }
              }
            }
          }
        }
      }
    }

    open("/") { _ in DashboardPage.page }
    open("/dashboard.js") { _ in DashboardPage.script }
    open("/healthz") { _ in HealthRoutes.alive }
    // llama-server's name for it.
    open("/health") { _ in HealthRoutes.alive }
    open("/openapi.json") { _ in OpenAPIDocument.response }
    open("/readyz") { _ in await HealthRoutes.ready(service) }

    guarded(.post, "/route", RouteRoute(service: service).handle)
    let pareto = ParetoRoute(service: service)
    guarded(.get, "/pareto", pareto.handle)
    guarded(.post, "/pareto", pareto.handle)
    let library = LibraryRoutes(service: service)
    guarded(.get, "/experts", library.experts)
    guarded(.get, "/experts/{id}", library.expert)
    guarded(.get, "/v1/models", library.models)
    guarded(.get, "/v1/models/{id}", library.model)
    guarded(.get, "/metrics", MetricsRoute(service: service).handle)
    let decisions = DecisionRoutes(service: service)
    guarded(.get, "/decisions", decisions.list)
    guarded(.get, "/decisions/{id}", decisions.one)
    guarded(.get, "/usage", UsageRoute(service: service).handle)
    guarded(.post, "/feedback", FeedbackRoute(service: service).handle)
    guarded(.post, "/v1/chat/completions", ChatCompletionsRoute(service: service).handle)
    guarded(.post, "/v1/responses", ResponsesRoute(service: service).handle)
    let messages = MessagesRoute(service: service)
    guarded(.post, "/v1/messages", messages.handle)
    guarded(.post, "/v1/messages/count_tokens", messages.countTokens)
    guarded(.post, "/v1/completions", CompletionsRoute(service: service).handle)
    guarded(.post, "/v1/embeddings", EmbeddingsRoute(service: service).handle)
    let tokens = TokensRoutes(service: service)
    guarded(.post, "/tokenize", tokens.tokenize)
    guarded(.post, "/detokenize", tokens.detokenize)
    let ollama = OllamaRoutes(service: service)
    guarded(.get, "/api/version", ollama.version)
    guarded(.get, "/api/tags", ollama.tags)
    guarded(.get, "/api/ps", ollama.running)
    guarded(.post, "/api/show", ollama.show)
    guarded(.post, "/api/chat", ollama.chat)
    guarded(.post, "/api/generate", ollama.generate)
    guarded(.post, "/api/embed", ollama.embed)
    guarded(.post, "/api/embeddings", ollama.embeddings)
    self.router = router
  }

  /// All of them: methods with the patterns of their paths.
  package var all: [(method: HTTPMethod, pattern: String)] { router.routes }

  package var handler: HTTPHandler { crossOrigin.wrap(router.handler) }

  /// Refuses requests without a key before they send megabytes, where a key is asked for.
  package var refuseHead: HTTPHeadCheck? {
    crossOrigin.wrap { [authorization] request in
      guard !Self.openPaths.contains(request.rawPath) else { return nil }
      do {
        try authorization.check(request)
        return nil
      } catch {
        return Self.refusal(of: request, error)
      }
    }
  }

  /// Errors of requests that reach no route, in the words of the API that they were for.
  package static let errorRenderer: HTTPErrorRenderer = { error, request in
    guard let request, request.isAnthropics || request.isOllamas else {
      return HTTPErrorDescription.jsonRenderer(error, request)
    }
    return refusal(
      of: request, APIError(status: error.status, message: error.message, code: error.code))
  }

  private static func answer(
    _ request: HTTPRequest, _ handle: @Sendable (HTTPRequest) async throws -> HTTPResponse
  ) async -> HTTPResponse {
    do {
      return try await handle(request)
    } catch {
      return Self.refusal(of: request, error)
    }
  }

  private static func refusal(of request: HTTPRequest, _ error: any Error) -> HTTPResponse {
    let error = APIError(any: error)
    if request.isAnthropics { return error.anthropicResponse }
    var response = error.response
    // Ollama's clients show what stands under `error` as it is.
    if request.isOllamas { response.body = .bytes(OllamaReply.error(error)) }
    return response
  }
}
