import HTTP
import Testing

/// The page at `/`. What it looks like and whether its script works, a browser shows.
@Suite struct DashboardTests {
  @Test func isOpenAndHoldsNoData() async throws {
    let server = try await ServerFixture { $0.server.apiKeys = ["secret"] }
    let page = await server.get("/")
    #expect(page.status == .ok)
    #expect(page.headers["Content-Type"] == "text/html; charset=utf-8")
    let policy = try #require(page.headers["Content-Security-Policy"])
    #expect(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"))
    // What the policy forbids would do nothing.
    #expect(!page.text.contains(" onclick") && !page.text.contains("javascript:"))
    #expect(page.text.components(separatedBy: "<script").count == 2)
    #expect(page.text.contains(#"<script src="/dashboard.js"></script>"#))
    #expect(!page.text.contains("smollm2-135m") && !page.text.contains("secret"))
    let script = await server.get("/dashboard.js")
    #expect(script.headers["Content-Type"] == "text/javascript; charset=utf-8")
    // All that comes from the server's routes is text.
    #expect(!script.text.contains("innerHTML") && !script.text.contains("insertAdjacentHTML"))
    // Every element that the script looks for is in the page.
    for match in script.text.matches(of: /\$\("([a-z-]+)"\)/) {
      #expect(page.text.contains("id=\"\(match.1)\""), "\(match.1)")
    }
    #expect(await server.get("/experts").status == .unauthorized)
    await server.end()
  }
}
