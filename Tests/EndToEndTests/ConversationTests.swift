import Foundation
import Testing

/// A chat goes on with the expert that gave its last answer, as far as that is asked for.
@Suite struct ConversationTests {
  private static let question = "Write a Python function that adds two numbers."

  private func ask(
    _ server: RunningServer, _ messages: [[String: String]], _ more: [String: Any] = [:]
  ) async throws -> JSON {
    let body = try JSONSerialization.data(
      withJSONObject: ["messages": messages, "max_tokens": 8, "temperature": 0]
        .merging(more) { $1 })
    let reply = try await server.post("/route", String(decoding: body, as: UTF8.self))
    #expect(reply.status == 200, "\(reply.text)")
    return try reply.json
  }

  @Test func keepsToItsExpert() async throws {
    let server = try await SharedServer.get()
    let user = ["role": "user", "content": Self.question]
    // Somebody that the router would hardly choose for code.
    let unlikely = "smollm2-135m-law"
    let first = try await ask(server, [user], ["constraints": ["experts": [unlikely]]])
    #expect(first["expert"].string == unlikely)
    let text = try #require(first["completion"]["text"].string)
    #expect(!text.isEmpty)
    func followUp(_ answer: String) -> [[String: String]] {
      [
        user, ["role": "assistant", "content": answer],
        ["role": "user", "content": "Now write one that multiplies them in Python."],
      ]
    }
    func raw(_ json: JSON, _ expert: String) -> Double? {
      json["decision"]["experts"].array.first { $0["expert"].string == expert }?["goals"][
        "continuity"]["raw"].double
    }
    let kept = try await ask(server, followUp(text), ["flags": ["continuity": 5]])
    #expect(kept["expert"].string == unlikely)
    #expect(raw(kept, unlikely) == 0)
    #expect(raw(kept, "smollm2-135m-code") == 1)
    // The default is for trifles, and this is none.
    let left = try await ask(server, followUp(text))
    #expect(left["expert"].string != unlikely)
    let flags = left["decision"]["flags"].array
    #expect(flags.first { $0["goal"].string == "continuity" }?["weight"].double == 0.01)
    // An answer that nobody here gave.
    let strange = try await ask(server, followUp(text + "?"), ["flags": ["continuity": 5]])
    #expect(strange["expert"].string != unlikely)
    #expect(raw(strange, unlikely) == nil)
  }
}
