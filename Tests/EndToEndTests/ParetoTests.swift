import Foundation
import Testing

@Suite struct ParetoTests {
  @Test func onePromptAsJSON() async throws {
    let server = try await SharedServer.get()
    let reply = try await server.get("/pareto?prompt=Bonjour+le+monde&goal=size")
    #expect(reply.status == 200, "\(reply.text)")
    let json = try reply.json
    #expect(json["goal"].string == "size")
    let points = json["points"].array
    #expect(points.count >= 2)
    // The smallest expert is on the front whatever its loss.
    let small = points.first { $0["expert"].string == "smollm2-135m" }
    #expect(small?["on_pareto_front"].bool == true)
    #expect(small?["cost"].double == 0)
  }

  @Test func longPromptByPost() async throws {
    let server = try await SharedServer.get()
    let prompt = String(repeating: "lorem ipsum ", count: 3000)
    let reply = try await server.post("/pareto", #"{"prompt": "\#(prompt)", "goal": "recency"}"#)
    #expect(reply.status == 200)
    #expect(try reply.json["goal"].string == "recency")
  }

  @Test func pictureAndPage() async throws {
    let server = try await SharedServer.get()
    let picture = try await server.get(
      "/pareto?prompt=hello", headers: ["Accept": "image/svg+xml"])
    #expect(picture.headers["content-type"]?.hasPrefix("image/svg+xml") == true)
    #expect(picture.text.hasPrefix("<svg"))
    #expect(picture.text.contains("smollm2-135m"))
    let page = try await server.get(
      "/pareto?prompt=%3Cscript%3Ealert(1)%3C/script%3E", headers: ["Accept": "text/html"])
    #expect(page.headers["content-type"]?.hasPrefix("text/html") == true)
    #expect(!page.text.contains("<script>"))
    #expect(page.text.contains("<option value=\"size\" selected>size</option>"))
    #expect(page.text.contains("<option value=\"knn\">knn</option>"))
  }

  @Test func overTheLog() async throws {
    let server = try await SharedServer.get()
    for prompt in ["One.", "Two.", "Três, quatro."] {
      let reply = try await server.post(
        "/route", #"{"prompt": "\#(prompt)", "generate": false}"#)
      _ = try await server.logged(try #require(try reply.json["id"].string))
    }
    let reply = try await server.get("/pareto?goal=size")
    #expect(reply.status == 200, "\(reply.text)")
    let json = try reply.json
    #expect((json["decisions"].int ?? 0) >= 3)
    let shares = json["points"].array.compactMap { $0["share"].double }
    #expect(abs(shares.reduce(0, +) - 1) < 1e-9)
    let none = try await server.get("/pareto?since=2999-01-01")
    #expect(try none.json["decisions"].int == 0)
    let wrong = try await server.get("/pareto?since=yesterday")
    #expect(wrong.status == 400)
  }

  @Test func unknownGoalNamesTheKnown() async throws {
    let server = try await SharedServer.get()
    let reply = try await server.get("/pareto?prompt=a&goal=beauty")
    #expect(reply.status == 400)
    #expect(try reply.json["error"]["message"].string?.contains("readability") == true)
  }
}
