import DecisionLog
import Foundation
import Generation
import Library
import Routing
import Testing
import Thalamus

/// What a key may do, and what its budget leaves it.
@Suite(.serialized) struct KeyedServiceTests {
  private static let request = RoutingRequest(
    input: .prompt("Write a Python function that adds two numbers"), maxTokens: 4)
  private static let parameters = SamplingParameters(temperature: 0, maxTokens: 4)

  private func key(
    _ name: String, budget usd: Double? = nil, admin: Bool = false,
    _ constraints: Constraints = Constraints()
  ) -> APIKey {
    APIKey(
      name: name, sha256: SHA256.hex(of: name), isAdmin: admin, constraints: constraints,
      budget: usd.map { Budget(usd: $0, period: .month) })
  }

  private func ask(
    _ service: ThalamusService, as key: APIKey?, _ request: RoutingRequest = request
  ) async throws -> Decision {
    let answer = try await APIKey.$current.withValue(key) {
      try await service.answer(request, parameters: Self.parameters)
    }
    // Read without the key at hand, as the server's streams are.
    _ = try await answer.collect()
    return answer.decision
  }

  /// The key's prompts go to what costs nothing once its budget is used up; others' go on as before.
  @Test func aBudget() async throws {
    let alice = key("alice", budget: 0.007)
    let fixture = try await RemoteServiceFixture.with { service, peer in
      #expect(try await ask(service, as: alice).expert == "far")
      #expect(service.budget(of: alice).spentUSD == 0.005)
      // There is room for what it is expected to cost, and then it costs more.
      #expect(try await ask(service, as: alice).expert == "far")
      let decision = try await ask(service, as: alice)
      #expect(decision.expert == "smollm2-135m")
      let reason = decision.routing.experts.first { $0.expert == "far" }?.reason
      #expect(reason?.code == "budget")
      #expect(
        reason?.message.contains("key 'alice', $0.007 a month") == true,
        "\(String(describing: reason))")
      #expect(service.budget(of: alice).remainingUSD == 0)

      var named = Self.request
      named.expert = "far"
      await #expect(throws: RoutingError.self) { _ = try await ask(service, as: alice, named) }
      #expect(peer.asked == 2)
      #expect(try await ask(service, as: key("bob"), named).expert == "far")
      #expect(try await ask(service, as: nil, named).expert == "far")
      #expect(service.serverBudget().spentUSD == 0.02)
      #expect(service.metrics.snapshot.keys["alice"]?.costUSD == 0.01)
      #expect(service.metrics.snapshot.keys["alice"]?.answers == [.completed: 3])
    }
    let rows = try await fixture.logged()
    #expect(rows.map(\.keyName) == [nil, "bob", "alice", "alice", "alice"], "newest first")

    // What was spent is known after a restart.
    let service = try await fixture.start()
    #expect(service.budget(of: alice).spentUSD == 0.01)
    let again = try await APIKey.$current.withValue(alice) {
      try await service.decide(Self.request)
    }
    #expect(again.expert == "smollm2-135m")
    #expect(try await service.decide(Self.request).expert == "far")
    await service.shutDown()
  }

  @Test func theServersBudget() async throws {
    _ = try await RemoteServiceFixture.with(adjust: {
      $0.budget.usd = 0.005
      $0.budget.period = .day
    }) { service, _ in
      var chosen: [String] = []
      for key in [nil, nil, key("alice", budget: 1)] {
        chosen.append(try await ask(service, as: key).expert)
      }
      #expect(chosen == ["far", "smollm2-135m", "smollm2-135m"])
      #expect(service.serverBudget().resetsAt == Budget.Period.day.end(of: Date()))
    }
  }

  /// An answer that fails gives back what was set aside for it.
  @Test func failuresCostNothing() async throws {
    let alice = key("alice", budget: 0.001)
    _ = try await RemoteServiceFixture.with(failures: [400]) { service, _ in
      let first = try await ask(service, as: alice).expert
      #expect(first == "smollm2-135m")
      #expect(service.spending.remaining(for: alice, at: Date())?.usd == 0.001)
      #expect(try await ask(service, as: alice).expert == "far")
    }
  }

  /// What broke off is charged what came of it, and no more is held back for it.
  @Test func anAnswerThatBreaksOff() async throws {
    let alice = key("alice", budget: 1)
    var spent = 0.0
    let fixture = try await RemoteServiceFixture.with(
      failures: [RemoteServiceFixture.Peer.breaksOff]
    ) { service, _ in
      var named = Self.request
      named.expert = "far"
      await #expect(throws: RemoteError.self) { _ = try await ask(service, as: alice, named) }
      spent = service.budget(of: alice).spentUSD
      #expect(spent > 2e-6 && spent < 1e-4, "one token at $2 a million, and the prompt's few")
      #expect(service.spending.remaining(for: alice, at: Date())?.usd == 1 - spent)
    }
    let row = try #require(try await fixture.logged().first)
    #expect(row.status == .failed && row.costUSD == spent && row.completionTokens == 1)
  }

  /// A key's limits are the operator's: a request can't loosen them, whether by JSON or by name.
  @Test func limits() async throws {
    _ = try await RemoteServiceFixture.with { service, peer in
      let home = key("home", Constraints(localOnly: true))
      var loose = Self.request
      loose.constraints.localOnly = false
      let decision = try await ask(service, as: home, loose)
      #expect(decision.expert == "smollm2-135m")
      #expect(
        decision.routing.constraints.first { $0.constraint == .localOnly }?.source == .key)
      let one = key("one", Constraints(experts: ["gemma3-270m"]))
      #expect(try await ask(service, as: one).expert == "gemma3-270m")
      var named = Self.request
      named.expert = "far"
      await #expect(throws: RoutingError.self) { _ = try await ask(service, as: home, named) }
      await #expect(throws: RoutingError.self) { _ = try await ask(service, as: one, named) }
      #expect(peer.asked == 0)
    }
  }

  /// Who asked what is between the asker and the operator.
  @Test func whoSeesWhat() async throws {
    _ = try await RemoteServiceFixture.with { service, _ in
      let (alice, bob, root) = (key("alice"), key("bob"), key("root", admin: true))
      let own = try await ask(service, as: alice)
      _ = try await ask(service, as: nil)
      func seen(_ key: APIKey?) async throws -> Int {
        try await APIKey.$current.withValue(key) {
          try await service.decisions(DecisionFilter()).decisions.count
        }
      }
      #expect(try await seen(alice) == 1)
      #expect(try await seen(bob) == 0)
      #expect(try await seen(root) == 2)
      #expect(try await seen(nil) == 2)
      func onFront(_ key: APIKey) async throws -> Int {
        try await APIKey.$current.withValue(key) {
          try await service.pareto(overLogSince: nil, goal: .size).decisions
        }
      }
      #expect(try await onFront(bob) == 0)
      #expect(try await onFront(alice) == 1)
      await APIKey.$current.withValue(bob) {
        await #expect(throws: ServiceError.self) { _ = try await service.decision(id: own.id) }
        await #expect(throws: ServiceError.self) {
          _ = try await service.judge(decisionID: own.id, score: -1, comment: nil)
        }
      }
      let (name, judged) = try await APIKey.$current.withValue(alice) {
        (
          try await service.decision(id: own.id).keyName,
          try await service.judge(decisionID: own.id, score: 1, comment: nil).expert
        )
      }
      #expect(name == "alice" && judged == own.expert)
      #expect(try await service.pareto(overLogSince: nil, goal: .size).decisions == 2)
    }
  }
}
