import HTTP
import Server
import Testing

@Suite struct CrossOriginTests {
  private let page: HTTPHeaders = ["Origin": "http://localhost:3000"]

  private func router() -> HTTPHandler {
    var router = HTTPRouter()
    router.on(.post, "/route") { _ in HTTPResponse(status: .ok, headers: ["Vary": "Accept"]) }
    return router.handler
  }

  private func preflight(_ origin: String) -> HTTPRequest {
    HTTPRequest(
      .options, "/route",
      headers: [
        "Origin": origin, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-stainless-os",
      ])
  }

  @Test func nobodyIsNamed() async {
    let handler = CrossOrigin(origins: []).wrap(router())
    for request in [
      HTTPRequest(.post, "/route", headers: page), preflight("http://localhost:3000"),
    ] {
      let response = await handler(request)
      #expect(response.headers["Access-Control-Allow-Origin"] == nil)
      #expect(response.headers["Access-Control-Allow-Headers"] == nil)
    }
  }

  @Test func aNamedOriginMayReadAnswers() async {
    let handler = CrossOrigin(origins: ["http://LOCALHOST:3000", "https://a.example"])
      .wrap(router())
    let answer = await handler(HTTPRequest(.post, "/route", headers: page))
    #expect(answer.status == .ok)
    #expect(answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000")
    #expect(answer.headers["Access-Control-Expose-Headers"]?.contains("x-thalamus-expert") == true)
    #expect(answer.headers.values("Vary") == ["Accept", "Origin"])
    let before = await handler(preflight("https://a.example"))
    #expect(before.status == .noContent)
    #expect(before.headers["Access-Control-Allow-Origin"] == "https://a.example")
    #expect(before.headers["Access-Control-Allow-Methods"] == "POST, OPTIONS")
    #expect(before.headers["Access-Control-Allow-Headers"] == "authorization,x-stainless-os")
    for other in ["http://localhost:3001", "https://a.example.evil", "null", ""] {
      #expect(await handler(preflight(other)).headers["Access-Control-Allow-Origin"] == nil)
      let answer = await handler(HTTPRequest(.post, "/route", headers: ["Origin": other]))
      #expect(answer.headers["Access-Control-Allow-Origin"] == nil)
      #expect(answer.headers.values("Vary").contains("Origin"))
    }
  }

  @Test func everybody() async {
    let handler = CrossOrigin(origins: ["*"]).wrap(router())
    let answer = await handler(HTTPRequest(.post, "/route", headers: page))
    #expect(answer.headers["Access-Control-Allow-Origin"] == "*")
    let without = await handler(HTTPRequest(.post, "/route"))
    #expect(without.headers["Access-Control-Allow-Origin"] == nil)
  }

  /// A page must be able to read why its own request was refused; and a request that calls itself a
  /// browser's question sends no megabytes without a key either.
  @Test func whereAKeyIsAskedFor() async throws {
    let refuse: HTTPHeadCheck = { _ in HTTPResponse(status: .unauthorized) }
    let check = try #require(CrossOrigin(origins: ["http://localhost:3000"]).wrap(refuse))
    #expect(check(preflight("http://localhost:3000"))?.status == .unauthorized)
    #expect(check(preflight("http://elsewhere"))?.status == .unauthorized)
    let refusal = try #require(check(HTTPRequest(.post, "/route", headers: page)))
    #expect(refusal.status == .unauthorized)
    #expect(refusal.headers["Access-Control-Allow-Origin"] == "http://localhost:3000")
    #expect(CrossOrigin(origins: []).wrap(refuse)?(preflight("x"))?.status == .unauthorized)
  }
}
