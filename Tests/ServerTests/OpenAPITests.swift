import Foundation
import HTTP
import Server
import Testing

/// The document tells of every route and of no other, and of the fields that are read.
@Suite(.serialized) struct OpenAPITests {
  @Test func itHasEveryRoute() async throws {
    let server = try await ServerFixture { $0.server.apiKeys = ["key"] }
    let document = try object(await server.get("/openapi.json").bytes)
    #expect(document["openapi"] as? String == "3.1.0")
    let paths = try #require(document["paths"] as? [String: [String: [String: Any]]])
    let told = Set(
      paths.flatMap { path, methods in methods.keys.map { "\($0.uppercased()) \(path)" } })
    let served = Set(server.routes.all.map { "\($0.method.rawValue) \($0.pattern)" })
    #expect(told == served)
    #expect(served.count > 30)
    let operations = paths.values.flatMap(\.values)
    let ids = operations.compactMap { $0["operationId"] as? String }
    #expect(Set(ids).count == ids.count && ids.count == operations.count)

    // Which need no key is as it says.
    for (path, methods) in paths {
      guard let get = methods["get"], !path.contains("{") else { continue }
      let isOpen = (get["security"] as? [Any])?.isEmpty == true
      #expect((await server.get(path).status == .unauthorized) != isOpen, "\(path)")
    }
    await server.end()
  }

  /// Fields of the routes that refuse unknown ones: each is known, and another is not.
  @Test(arguments: [
    ("/route", "RouteRequest"), ("/pareto", "ParetoRequest"), ("/feedback", "FeedbackRequest"),
  ])
  func fieldsAreKnown(path: String, schema: String) async throws {
    let server = try await ServerFixture()
    let document = try object(await server.get("/openapi.json").bytes)
    let schemas = (document["components"] as? [String: Any])?["schemas"] as? [String: Any]
    let properties = (schemas?[schema] as? [String: Any])?["properties"] as? [String: Any]
    let names = try #require(properties?.keys.sorted())
    for name in names + ["unknown_field"] {
      let reply = await server.post(path, #"{"\#(name)": null, "generate_nothing": null}"#)
      // One of the two is told; which of a known and an unknown one is clear.
      let told = try reply.refusal()
      #expect(told.code == "unknown_key")
      #expect(name == "unknown_field" || told.param == "generate_nothing", "\(path) \(name)")
    }
    await server.end()
  }
}
