import HTTP
import Server
import Testing

/// `/pareto` over an empty log: which of its three forms is sent.
@Suite(.serialized) struct ParetoRouteTests {
  @Test func formIsNegotiated() async throws {
    let server = try await ServerFixture()
    let forms: [(accept: String?, query: String, type: String)] = [
      (nil, "", "application/json"),
      ("*/*", "", "application/json"),
      ("application/json", "", "application/json"),
      ("image/svg+xml", "", "image/svg+xml; charset=utf-8"),
      ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "", "text/html; charset=utf-8"),
      ("image/avif, IMAGE/SVG+XML;q=0.5 , text/html", "", "image/svg+xml; charset=utf-8"),
      ("text/html", "?format=json", "application/json"),
      (nil, "?format=svg&goal=Latency", "image/svg+xml; charset=utf-8"),
      (nil, "?format=html&prompt=&since=&strategy=", "text/html; charset=utf-8"),
    ]
    for form in forms {
      var headers = HTTPHeaders()
      if let accept = form.accept { headers.add("Accept", accept) }
      let response = await server.get("/pareto" + form.query, headers: headers)
      #expect(response.status == .ok, "\(form): \(response.text)")
      #expect(response.headers["Content-Type"] == form.type, "\(form)")
      #expect(response.headers["Vary"] == "Accept")
    }
    await server.end()
  }

  @Test func refused() async throws {
    let server = try await ServerFixture()
    #expect(
      try await server.get("/pareto?format=pdf").refusal()
        == Refusal(400, "invalid_value", "format"))
    #expect(
      try await server.get("/pareto?goal=beauty").refusal() == Refusal(400, "unknown_goal", "goal"))
    #expect(
      try await server.get("/pareto?since=soon").refusal() == Refusal(400, "invalid_value", "since")
    )
    #expect(
      try await server.post("/pareto", #"{"promt": "x"}"#).refusal()
        == Refusal(400, "unknown_key", "promt"))
    #expect(
      try await server.post("/pareto", #"{"prompt": "x"}"#).refusal()
        == Refusal(503, "router_untrained", nil))
    await server.end()
  }

  @Test func pageEscapesWhatItShows() async throws {
    let server = try await ServerFixture()
    let response = await server.get(
      "/pareto?format=html&strategy=random&prompt=%3Cscript%3E%22x%22%3C/script%3E")
    #expect(response.status == .ok)
    #expect(!response.text.contains("<script>"))
    #expect(response.text.contains("&lt;script&gt;"))
    #expect(response.headers["Content-Security-Policy"]?.contains("default-src 'none'") == true)
    await server.end()
  }
}
