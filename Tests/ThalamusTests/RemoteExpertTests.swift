import Foundation
import Generation
import Library
import Routing
import Testing
import Thalamus
import Tokenization

/// The service with an expert behind a server of the test's own.
@Suite(.serialized) struct RemoteExpertTests {
  private static let request = RoutingRequest(
    input: .prompt("Write a Python function that adds two numbers"), maxTokens: 4)
  private static let parameters = SamplingParameters(temperature: 0, maxTokens: 4)

  private func with(
    failures: [Int] = [], card: String = "expected_loss_ratio: 0.5\n",
    _ body: (ThalamusService, RemoteServiceFixture.Peer) async throws -> Void
  ) async throws -> ServiceFixture {
    try await RemoteServiceFixture.with(failures: failures, card: card, body)
  }

  @Test func answersWhatItIsExpectedToDoBest() async throws {
    let fixture = try await with { service, peer in
      let answer = try await service.answer(Self.request, parameters: Self.parameters)
      #expect(answer.decision.expert == "far")
      let whole = try await answer.collect()
      let (text, summary) = (whole.text, whole.summary)
      #expect(text == "from afar")
      #expect(summary.finishReason == .endToken)
      #expect(answer.costUSD(summary) == 0.005)
      #expect(service.metrics.snapshot.experts["far"]?.costUSD == 0.005)
      // A price that outweighs what is expected of it; a limit that no expectation overrides.
      var dear = Self.request
      try dear.weights.set(10, for: .cost)
      #expect(try await service.decide(dear).expert == "smollm2-135m")
      var local = Self.request
      local.constraints.localOnly = true
      let decision = try await service.decide(local)
      #expect(decision.expert == "smollm2-135m")
      #expect(
        decision.routing.experts.first { $0.expert == "far" }?.reason == .leavesMachine)
      #expect(peer.asked == 1)
    }
    let row = try #require(try await fixture.logged().first { $0.expert == "far" })
    #expect(row.status == .completed)
    #expect(row.costUSD == 0.005)
    #expect(row.promptTokens == 1000 && row.completionTokens == 2000)
  }

  /// What nobody here can see goes to who can, or to nobody.
  @Test func imagesGoToWhoReadsThem() async throws {
    let seen = RoutingRequest(
      input: .messages([
        ChatMessage(
          role: "user",
          parts: [.image(try ChatImage(url: "https://example.com/a.png")), .text("What is it?")])
      ]), maxTokens: 4)
    _ = try await with(card: "reads_images: true\nexpected_loss_ratio: 3\n") { service, peer in
      let decision = try await service.decide(seen)
      #expect(decision.expert == "far")
      let others = decision.routing.experts.filter { $0.expert != "far" }
      #expect(!others.isEmpty && others.allSatisfy { $0.reason == .readsNoImages })
      #expect(try await service.decide(Self.request).expert != "far", "of text it knows less")
      let answer = try await service.answer(seen, parameters: Self.parameters)
      #expect(try await answer.collect().text == "from afar")
      #expect(peer.asked == 1)
      // A limit is a limit.
      var local = seen
      local.constraints.localOnly = true
      await #expect(throws: RoutingError.self) { _ = try await service.decide(local) }
      // An image alone is a question as well.
      let alone = RoutingRequest(
        input: .messages([
          ChatMessage(
            role: "user", parts: [.image(try ChatImage(url: "https://example.com/a.png"))])
        ]))
      #expect(try await service.decide(alone).expert == "far")
    }
    _ = try await with { service, peer in
      for expert in [nil, "far", "smollm2-135m"] {
        var named = seen
        named.expert = expert
        let error = await #expect(throws: RoutingError.self) {
          _ = try await service.answer(named, parameters: Self.parameters)
        }
        let refusal = try #require(error)
        guard case .noEligibleExpert(let reasons) = refusal else {
          Issue.record("\(refusal)")
          continue
        }
        #expect(reasons.contains { $0.reason == .readsNoImages })
        named.expert = "smollm2-135m"
        await #expect(throws: (any Error).self) {
          _ = try await service.promptTokenCount(named, parameters: Self.parameters)
        }
      }
      #expect(peer.asked == 0)
    }
  }

  @Test(arguments: [503, 401, 429, 400, 302])
  func anotherExpertTakesThePrompt(status: Int) async throws {
    let fixture = try await with(failures: [status]) { service, peer in
      let answer = try await service.answer(Self.request, parameters: Self.parameters)
      #expect(answer.decision.expert == "smollm2-135m")
      #expect(try await answer.collect().text.isEmpty == false)
      let reason = answer.decision.routing.experts.first { $0.expert == "far" }?.reason
      #expect(reason?.code == "unavailable")
      #expect(peer.asked == 1)
      // The next prompt does not go there, unless it was this prompt that the endpoint refused.
      let next = try await service.decide(Self.request)
      #expect(next.expert == (status == 400 ? "far" : "smollm2-135m"))
      let isUp = await service.experts().first { $0.card.id == "far" }?.obstacle == nil
      #expect(isUp == (status == 400))
    }
    let rows = try await fixture.logged().filter { $0.status != .decided }
    #expect(rows.map(\.expert) == ["smollm2-135m", "far"], "newest first")
    #expect(rows.map(\.status) == [.completed, .failed])
    #expect(rows[1].error?.contains("its endpoint") == true)
    #expect(rows[1].costUSD == nil)
  }

  /// Who names an expert gets it or an error; and limits are not widened for who does not.
  @Test func noSubstitute() async throws {
    let fixture = try await with(failures: [500, 500, 500]) { service, peer in
      var named = Self.request
      named.expert = "far"
      await #expect(throws: RemoteError.failed(expert: "far", status: 500, message: "out of order"))
      {
        _ = try await service.answer(named, parameters: Self.parameters)
      }
      #expect(peer.asked == 1)
      await #expect(throws: RoutingError.self) {
        _ = try await service.answer(named, parameters: Self.parameters)
      }
      #expect(peer.asked == 1, "it is left alone for a while")
    }
    #expect(try await fixture.logged().map(\.status) == [.failed])

    _ = try await with(failures: [500]) { service, _ in
      var only = Self.request
      only.constraints.experts = ["far"]
      await #expect(throws: RemoteError.failed(expert: "far", status: 500, message: "out of order"))
      {
        _ = try await service.answer(only, parameters: Self.parameters)
      }
    }
  }

  /// Without an expectation the router leaves it alone; it answers when it is named.
  @Test func withoutAnExpectation() async throws {
    _ = try await with(card: "") { service, peer in
      let decision = try await service.decide(Self.request)
      #expect(decision.expert == "smollm2-135m")
      #expect(decision.routing.experts.first { $0.expert == "far" }?.reason == .noPrediction)
      var named = Self.request
      named.expert = "far"
      let answer = try await service.answer(named, parameters: Self.parameters)
      #expect(try await answer.collect().text == "from afar")
    }
  }

  @Test func withoutItsKey() async throws {
    _ = try await with(card: "expected_loss_ratio: 0.5\napi_key_env: NO_SUCH_KEY\n") {
      service, peer in
      let decision = try await service.decide(Self.request)
      #expect(decision.expert == "smollm2-135m")
      #expect(
        decision.routing.experts.first { $0.expert == "far" }?.reason?.message
          == "the key of its endpoint is missing")
      #expect(peer.asked == 0)
    }
  }
}
