import DecisionLog
import Foundation
import HTTP
import Server
import Testing
import Thalamus

/// `POST /feedback`, with the router that ships.
@Suite(.serialized) struct FeedbackTests {
  private static let question =
    #"{"prompt": "Write a Python function that reverses a string.", "generate": false}"#

  private struct Found {
    let id: String
    let expert: String
    let experts: [[String: Any]]

    init(_ response: HTTPResponse) throws {
      let body = try object(response.bytes)
      id = try #require(body["id"] as? String, "\(response.text)")
      expert = try #require(body["expert"] as? String)
      let decision = try #require(body["decision"] as? [String: Any])
      experts = try #require(decision["experts"] as? [[String: Any]])
    }

    func feedback(on expert: String) -> [String: Any]? {
      experts.first { $0["expert"] as? String == expert }?["feedback"] as? [String: Any]
    }
  }

  @Test func decisionsFollowWhatIsSaid() async throws {
    let server = try await ServerFixture { $0.router.directory = "router" }
    let first = try Found(await server.post("/route", Self.question))
    #expect(first.feedback(on: first.expert) == nil)
    let reply = await server.post(
      "/feedback", #"{"decision": "\#(first.id)", "score": -1, "comment": "It was wrong."}"#)
    #expect(reply.status == .ok)
    let said = try object(reply.bytes)
    #expect(said["expert"] as? String == first.expert && said["learned"] as? Bool == true)

    let second = try Found(await server.post("/route", Self.question))
    #expect(second.expert != first.expert)
    let term = try #require(second.feedback(on: first.expert)?["term"] as? Double)
    #expect(term > 0.05)
    // A prompt of another kind is decided as before.
    let other = try Found(
      await server.post("/route", #"{"prompt": "Escreve um poema.", "generate": false}"#))
    for expert in other.experts {
      let term = (expert["feedback"] as? [String: Any])?["term"] as? Double ?? 0
      #expect(abs(term) < 0.01, "\(expert)")
    }

    // A later opinion takes the place of the first, by OpenAI's name for the decision too.
    let praise = await server.post(
      "/feedback", #"{"decision": "chatcmpl-\#(first.id)", "score": 1}"#)
    #expect(praise.status == .ok)
    let third = try Found(await server.post("/route", Self.question))
    #expect(third.expert == first.expert)
    #expect(try #require(third.feedback(on: first.expert)?["term"] as? Double) < -0.05)

    let decision = try object(await server.get("/decisions/\(first.id)").bytes)
    let feedback = try #require(decision["feedback"] as? [[String: Any]])
    #expect(feedback.map { $0["score"] as? Double } == [-1, 1])
    #expect(feedback.first?["comment"] as? String == "It was wrong.")
    let expert = try object(await server.get("/experts/\(first.expert)").bytes)
    #expect((expert["feedback"] as? [String: Any])?["mean_score"] as? Double == 1)
    let metrics = await server.get("/metrics").text
    for opinion in ["good", "bad"] {
      #expect(
        metrics.contains(
          #"thalamus_feedback_total{expert="\#(first.expert)",opinion="\#(opinion)"} 1"#))
    }
    await server.end()
  }

  /// A chat is remembered as decisions look at it, its latest question first of all: asked again it is the same to the last digit.
  @Test func feedbackOnAChat() async throws {
    let server = try await ServerFixture { $0.router.directory = "router" }
    let chat = #"""
      {"generate": false, "messages": [
        {"role": "user", "content": "What must a will contain to be valid in law, and who may contest it before a court?"},
        {"role": "assistant", "content": "It depends."},
        {"role": "user", "content": "Write a Python function that reverses a string."}]}
      """#
    let first = try Found(await server.post("/route", chat))
    let said = await server.post("/feedback", #"{"decision": "\#(first.id)", "score": -1}"#)
    #expect(try object(said.bytes)["learned"] as? Bool == true)
    let again = try Found(await server.post("/route", chat))
    let evidence = try #require(again.feedback(on: first.expert)?["evidence"] as? Double)
    #expect(evidence > 0.999)
    await server.end()
  }

  @Test func whatIsNoFeedbackIsRefused() async throws {
    let server = try await ServerFixture()
    for (body, code, param) in [
      ("{}", "missing_field", "decision"),
      (#"{"decision": "x", "score": 2}"#, "invalid_value", "score"),
      (#"{"decision": "x", "score": "good"}"#, "invalid_type", "score"),
      (#"{"decision": "x", "score": 1, "rating": 1}"#, "unknown_key", "rating"),
      (
        #"{"decision": "x", "score": 1, "comment": "\#(String(repeating: "x", count: 10_001))"}"#,
        "invalid_value", "comment"
      ),
    ] {
      #expect(try await server.post("/feedback", body).refusal() == Refusal(400, code, param))
    }
    #expect(
      try await server.post("/feedback", #"{"decision": "x", "score": 1}"#).refusal()
        == Refusal(404, "decision_not_found", "decision"))
    await server.end()
  }

  /// After a restart, by another encoder's embeddings too; and not where there is nothing to learn from.
  @Test func opinionsOutliveTheServer() async throws {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "thalamus-feedback-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    func server(
      _ adjust: @escaping (inout Configuration) -> Void = { _ in }
    ) async throws -> ServerFixture {
      try await ServerFixture {
        $0.router.directory = "router"
        $0.log.database = folder + "/log.sqlite"
        adjust(&$0)
      }
    }
    let before = try await server()
    let decision = try Found(await before.post("/route", Self.question))
    _ = await before.post("/feedback", #"{"decision": "\#(decision.id)", "score": -1}"#)
    await before.end()

    let after = try await server()
    let found = try Found(await after.post("/route", Self.question))
    #expect(found.expert != decision.expert)
    await after.end()

    // k-means looks at prompts through the whole encoder: the prompt is embedded anew, beside the requests.
    let another = try await server { $0.router.strategy = "kmeans" }
    var recalled: [String: Any]?
    for _ in 0..<100 where recalled == nil {
      let found = try Found(await another.post("/route", Self.question))
      recalled = found.feedback(on: decision.expert)
      if recalled == nil { try await Task.sleep(for: .milliseconds(50)) }
    }
    #expect(recalled != nil)
    await another.end()

    let deaf = try await server { $0.router.feedbackWeight = 0 }
    let unmoved = try Found(await deaf.post("/route", Self.question))
    #expect(unmoved.expert == decision.expert)
    let reply = await deaf.post("/feedback", #"{"decision": "\#(unmoved.id)", "score": 1}"#)
    #expect(try object(reply.bytes)["learned"] as? Bool == false)
    await deaf.end()
  }

  @Test func withoutPromptsOpinionsAreLoggedAlone() async throws {
    let server = try await ServerFixture {
      $0.router.directory = "router"
      $0.log.prompts = .hash
    }
    let decision = try Found(await server.post("/route", Self.question))
    let reply = try object(
      await server.post("/feedback", #"{"decision": "\#(decision.id)", "score": -1}"#).bytes)
    #expect(reply["learned"] as? Bool == false)
    #expect((reply["reason"] as? String)?.contains("log.prompts") == true)
    #expect(try Found(await server.post("/route", Self.question)).expert == decision.expert)
    let logged = try object(await server.get("/decisions/\(decision.id)").bytes)
    #expect((logged["feedback"] as? [[String: Any]])?.count == 1)
    await server.end()
  }
}
