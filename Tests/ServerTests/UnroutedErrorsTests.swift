import Foundation
import HTTP
import Server
import Testing

/// Errors of requests that reach no route are in the words of the API that they were for.
@Suite(.serialized) struct UnroutedErrorsTests {
  @Test func placesAndMethodsThatAreNot() async throws {
    let server = try await ServerFixture()
    for (path, status) in [("/v1/messages", 405), ("/v1/messages/batches", 404)] {
      let reply = await server.get(path)
      #expect(reply.status.code == status)
      let body = try object(reply.bytes)
      #expect(body["type"] as? String == "error")
      let error = try #require(body["error"] as? [String: Any])
      #expect(
        error["type"] as? String == (status == 404 ? "not_found_error" : "invalid_request_error"))
      #expect((error["message"] as? String)?.contains(path) == true)
      #expect((reply.headers["Allow"] != nil) == (status == 405))
    }
    for (path, status) in [("/api/chat", 405), ("/api/pull", 404)] {
      let reply = await server.get(path)
      #expect(reply.status.code == status)
      #expect((try object(reply.bytes)["error"] as? String)?.contains(path) == true)
    }
    #expect(try await server.get("/v1/nowhere").refusal() == Refusal(404, "not_found", nil))
    let models = await server.post("/v1/models", "{}", headers: ["anthropic-version": "2023-06-01"])
    #expect(try object(models.bytes)["type"] as? String == "error")
    await server.end()
  }

  @Test func whatIsRefusedBeforeItIsRead() throws {
    let error = HTTPErrorDescription(status: .contentTooLarge, message: "large", code: "too_large")
    func answer(_ request: HTTPRequest?) throws -> [String: Any] {
      try object(APIRoutes.errorRenderer(error, request).bytes)
    }
    let anthropic = try answer(HTTPRequest(.post, "/v1/messages"))
    #expect((anthropic["error"] as? [String: Any])?["type"] as? String == "request_too_large")
    #expect(try answer(HTTPRequest(.post, "/api/chat"))["error"] as? String == "large")
    for request in [HTTPRequest(.post, "/v1/chat/completions"), nil] {
      let body = try #require(try answer(request)["error"] as? [String: Any])
      #expect(body["code"] as? String == "too_large" && body["param"] is NSNull)
    }
  }
}
