import HTTP
import Testing

@Suite struct RouterTests {
  private var router: HTTPRouter {
    var router = HTTPRouter()
    router.on(.get, "/") { _ in .text("root") }
    router.on(.get, "/decisions/{id}") { .text("decision \($0.pathParameters["id"] ?? "")") }
    router.on(.get, "/decisions/latest") { _ in .text("latest") }
    router.on(.post, "/decisions/{id}") { _ in .text("changed") }
    router.on(.get, "/{kind}/count") { .text("count \($0.pathParameters["kind"] ?? "")") }
    return router
  }

  private func answer(_ method: HTTPMethod, _ target: String) async -> (HTTPResponse, String) {
    let response = await router.handle(HTTPRequest(method, target))
    guard case .bytes(let bytes) = response.body else { return (response, "stream") }
    return (response, String(decoding: bytes, as: UTF8.self))
  }

  @Test(arguments: [
    ("/", "root"), ("/?a=b", "root"), ("/decisions/7", "decision 7"),
    ("/decisions/latest", "latest"), ("/decisions/late%73t", "latest"),
    ("/decisions/a%2Fb", "decision a/b"), ("/decisions/%C3%A9", "decision é"),
    ("/experts/count", "count experts"),
  ])
  func findsTheHandler(target: String, expected: String) async {
    let (response, text) = await answer(.get, target)
    #expect(response.status == .ok)
    #expect(text == expected)
  }

  @Test(arguments: [
    "/nothing", "/decisions", "/decisions/", "/decisions/1/2", "//", "/decisions%2F7",
  ])
  func answersUnknownPathsWith404(target: String) async {
    let (response, text) = await answer(.get, target)
    #expect(response.status == .notFound)
    #expect(text.contains(#""code":"not_found","param":null"#))
  }

  @Test func answersOtherMethodsWith405AndAllow() async {
    let (response, _) = await answer(.delete, "/decisions/7")
    #expect(response.status == .methodNotAllowed)
    #expect(response.headers["allow"] == "GET, POST, HEAD, OPTIONS")
  }

  @Test func answersHeadFromGetAndOptionsItself() async {
    #expect(await answer(.head, "/").0.status == .ok)
    let (response, _) = await answer(.options, "/")
    #expect(response.status == .noContent)
    #expect(response.headers["Allow"] == "GET, HEAD, OPTIONS")
  }
}
