import DecisionLog
import Foundation
import Generation
import Library
import Routing
import Testing
import Thalamus
import Tokenization

/// The service in this process, with real models and a made-up router.
@Suite(.serialized) struct ThalamusServiceTests {
  private static let code = RoutingRequest(
    input: .prompt("Write a Python function that adds two numbers"), maxTokens: 4)
  private static let portuguese = RoutingRequest(input: .prompt("Qual é a capital do Brasil?"))

  @Test func decidesByThePromptAndLogsIt() async throws {
    let fixture = try await ServiceFixture()
    let service = try await fixture.start()
    #expect(await service.readiness().isReady)
    let code = try await service.decide(Self.code)
    let portuguese = try await service.decide(Self.portuguese)
    #expect(code.expert == "smollm2-135m")
    #expect(portuguese.expert == "gemma3-270m")
    #expect(code.routing.strategy == .ridge)
    #expect(code.routing.routerVersion?.hasPrefix("ridge-") == true)
    #expect(code.routing.experts.allSatisfy { $0.predictedLoss != nil && $0.eligible })
    // Two experts, one goal: a flag that outweighs the loss turns the choice.
    let flagged = try await service.decide(
      RoutingRequest(input: .prompt("Qual é a capital do Brasil? [Flag: size=100]")))
    #expect(flagged.expert == "smollm2-135m")
    await service.shutDown()

    let rows = try await fixture.logged()
    #expect(rows.map(\.id) == [flagged.id, portuguese.id, code.id], "newest first")
    let row = try #require(rows.last)
    #expect(row.status == .decided)
    #expect(row.expert == "smollm2-135m")
    #expect(row.promptText == "Write a Python function that adds two numbers")
    #expect(row.promptSHA256 == SHA256.hex(of: "Write a Python function that adds two numbers"))
    #expect(row.strategy == "ridge")
    #expect(row.routerVersion == code.routing.routerVersion)
    #expect(row.expertsJSON.contains(#""predicted_loss""#))
    #expect(rows[0].promptText == "Qual é a capital do Brasil? [Flag: size=100]")
    #expect(rows[0].promptSHA256 == rows[1].promptSHA256, "the hash is of the text without flags")
    #expect(rows[0].flagsJSON.contains(#""source":"prompt""#))
  }

  @Test func answersAndLearns() async throws {
    let fixture = try await ServiceFixture()
    let service = try await fixture.start()
    let answer = try await service.answer(
      Self.code, parameters: SamplingParameters(temperature: 0, maxTokens: 4))
    let whole = try await answer.collect()
    let (text, summary) = (whole.text, whole.summary)
    #expect(!text.isEmpty)
    #expect(summary.completionTokens == 4 && summary.finishReason == .maxTokens)
    // An abandoned answer ends as cancelled.
    var abandoned: String?
    do {
      let answer = try await service.answer(
        Self.code, parameters: SamplingParameters(temperature: 0, maxTokens: 2000))
      abandoned = answer.decision.id
      for try await event in answer.events {
        if case .text = event { break }
      }
    }
    let experts = await service.experts()
    let measured = experts.first { $0.card.id == "smollm2-135m" }
    #expect(measured?.state == .resident)
    #expect(measured?.statistics.answers == 1)
    #expect(experts.first { $0.card.id == "gemma3-270m" }?.state == .available)
    await service.shutDown()

    let rows = try await fixture.logged()
    let first = try #require(rows.first { $0.id == answer.decision.id })
    #expect(first.status == .completed)
    #expect(first.promptTokens == summary.promptTokens)
    #expect(first.completionTokens == 4)
    #expect(first.finishReason == "length")
    #expect(first.outputCharacters == text.count)
    #expect((first.totalMilliseconds ?? 0) >= (first.firstTokenMilliseconds ?? .infinity))
    let second = try #require(rows.first { $0.id == abandoned })
    #expect(second.status == .cancelled)
    #expect((second.completionTokens ?? 2000) < 2000)

    // What was measured outlives the process.
    let again = try await fixture.start()
    let kept = await again.experts().first { $0.card.id == "smollm2-135m" }
    #expect(kept?.statistics.answers == 1)
    await again.shutDown()
  }

  @Test func limitsShutOut() async throws {
    let fixture = try await ServiceFixture()
    let service = try await fixture.start()
    var request = Self.portuguese
    request.constraints.maxParameters = 200_000_000
    #expect(try await service.decide(request).expert == "smollm2-135m")
    request.constraints.maxParameters = 1000
    await #expect {
      _ = try await service.decide(request)
    } throws: { error in
      guard case .noEligibleExpert(let reasons)? = error as? RoutingError else { return false }
      return reasons.map(\.expert) == ["gemma3-270m", "smollm2-135m"]
        && reasons.allSatisfy { $0.reason.code == "max_parameters" }
    }
    await #expect(throws: RoutingError.self) {
      _ = try await service.answer(request, parameters: SamplingParameters(maxTokens: 1))
    }
    await service.shutDown()
    #expect(try await fixture.logged().count == 1, "no expert, no decision")
  }

  @Test func namedExpert() async throws {
    let fixture = try await ServiceFixture()
    let service = try await fixture.start()
    var request = Self.portuguese
    request.expert = "smollm2-135m"
    let decision = try await service.decide(request)
    #expect(decision.expert == "smollm2-135m")
    #expect(decision.routing.strategy == .single("smollm2-135m"))
    // Limits hold for a named expert too.
    request.constraints.licenses = ["gemma"]
    await #expect(throws: RoutingError.self) { _ = try await service.decide(request) }
    request.expert = "nobody"
    await #expect(
      throws: LibraryError.unknownExpert(id: "nobody", known: ["gemma3-270m", "smollm2-135m"])
    ) { _ = try await service.decide(request) }
    var strange = Self.code
    strange.strategy = "oracle"
    await #expect(throws: RoutingError.unknownStrategy("oracle")) {
      _ = try await service.decide(strange)
    }
    await service.shutDown()
  }

  /// What no expert could do is refused before there is a decision; what one can't is that one's failure.
  @Test func badParametersAreLoggedAsFailed() async throws {
    let fixture = try await ServiceFixture()
    let service = try await fixture.start()
    await #expect(throws: GenerationError.self) {
      _ = try await service.answer(Self.code, parameters: SamplingParameters(temperature: -1))
    }
    var biased = SamplingParameters()
    biased.logitBias = [9_999_999: 1]
    let beyondTheVocabulary = biased
    await #expect(throws: GenerationError.self) {
      _ = try await service.answer(Self.code, parameters: beyondTheVocabulary)
    }
    let longPrompt = String(repeating: "word ", count: 9000)
    await #expect(throws: (any Error).self) {
      _ = try await service.answer(
        RoutingRequest(input: .prompt(longPrompt), expert: "smollm2-135m"),
        parameters: SamplingParameters(maxTokens: 1))
    }
    await service.shutDown()
    let rows = try await fixture.logged()
    #expect(rows.map(\.status) == [.failed])
    #expect(rows.first?.error?.contains("logit_bias") == true)
  }

  @Test func aChatTooLongForOneExpertGoesToAnother() async throws {
    var fixture = try await ServiceFixture()
    fixture.configuration.models.kvCacheBytes = 512 << 20
    let service = try await fixture.start()
    func chat(_ pages: Int) -> RoutingRequest {
      RoutingRequest(
        input: .messages([
          ChatMessage(role: "system", content: String(repeating: "A word a time. ", count: pages)),
          ChatMessage(role: "user", content: "Write a Python function that adds two numbers"),
        ]), maxTokens: 1)
    }
    let parameters = SamplingParameters(temperature: 0, maxTokens: 1)
    #expect(try await service.decide(chat(10)).expert == "smollm2-135m")
    // By its bytes alone: 75,000 of them are no 8,192 tokens. The user's own words are few.
    let byBytes = try await service.decide(chat(5000))
    #expect(byBytes.expert == "gemma3-270m")
    #expect(
      byBytes.routing.experts.first { $0.expert == "smollm2-135m" }?.reason?.code
        == "context")
    // By the chosen expert's own count: 30,000 bytes might be 6,000 tokens and are 10,000.
    let answer = try await service.answer(chat(2000), parameters: parameters)
    #expect(answer.decision.expert == "gemma3-270m")
    _ = try await answer.collect()
    // Who named an expert is told.
    var named = chat(2000)
    named.expert = "smollm2-135m"
    await #expect {
      _ = try await service.answer(named, parameters: parameters)
    } throws: { error in
      guard case .promptTooLong? = error as? GenerationError else { return false }
      return true
    }
    await service.shutDown()
    let rows = try await fixture.logged()
    #expect(rows.map(\.expert).prefix(3) == ["smollm2-135m", "gemma3-270m", "smollm2-135m"])
    #expect(rows.map(\.status).prefix(3) == [.failed, .completed, .failed])
  }

  @Test func limitsAreNeverPassedOver() async throws {
    let fixture = try await ServiceFixture()
    let service = try await fixture.start()
    let flags = String(repeating: "[Flag: newest] ", count: PromptFlags.maximumFlags + 1)
    await #expect(throws: RoutingError.self) {
      _ = try await service.decide(RoutingRequest(input: .prompt("Hello " + flags)))
    }
    await service.shutDown()
  }

  @Test func aDamagedRouterThatIsNotAskedForDoesNotStopTheService() async throws {
    var fixture = try await ServiceFixture()
    let folder = RouterFiles(fixture.configuration).directory
    try FileManager.default.copyItem(atPath: folder + "/ridge", toPath: folder + "/knn")
    let weights = URL(filePath: folder + "/knn/router.safetensors")
    try Data(contentsOf: weights).dropLast(9).write(to: weights)
    let service = try await fixture.start()
    #expect(try await service.decide(Self.code).expert == "smollm2-135m")
    var request = Self.code
    request.strategy = "knn"
    await #expect(throws: ServiceError.self) { _ = try await service.decide(request) }
    await service.shutDown()
    fixture.configuration.router.strategy = "knn"
    let asked = fixture
    await #expect(throws: RoutingError.self) { _ = try await asked.start() }
  }

  @Test func withoutARouterOnlyNamedExpertsAnswer() async throws {
    let fixture = try await ServiceFixture(router: false)
    let service = try await fixture.start()
    #expect(await !service.readiness().isReady)
    await #expect {
      _ = try await service.decide(Self.code)
    } throws: { error in
      guard case .untrained("ridge", _)? = error as? ServiceError else { return false }
      return true
    }
    var request = Self.code
    request.strategy = "random"
    request.seed = 3
    let first = try await service.decide(request)
    #expect(try await service.decide(request).expert == first.expert)
    await service.shutDown()
  }

  @Test(arguments: Configuration.Log.Prompts.allCases)
  func logKeepsNoMoreOfAPromptThanItMay(policy: Configuration.Log.Prompts) async throws {
    var fixture = try await ServiceFixture(router: false)
    fixture.configuration.log.prompts = policy
    let service = try await fixture.start()
    _ = try await service.decide(
      RoutingRequest(input: .prompt("my secret [Flag: another secret]"), strategy: "random"))
    await service.shutDown()
    let row = try #require(try await fixture.logged().first)
    #expect((row.promptText != nil) == (policy == .store))
    #expect((row.promptSHA256 != nil) == (policy != .omit))
    #expect(row.promptBytes == 32)
    #expect(row.flagsJSON.contains("another secret") == (policy == .store))
    #expect(row.flagsJSON.contains("unknown flag"))
    let folder = fixture.configuration.log.database
    let bytes = try Data(contentsOf: URL(filePath: folder))
    #expect((bytes.range(of: Data("secret".utf8)) != nil) == (policy == .store))
  }

  /// Another encoder's weights, or layers that it does not have.
  @Test(arguments: [
    (#""revision" : "\w+""#, #""revision" : "0123456789abcdef""#),
    (#""layers" : 3"#, #""layers" : 7"#), (#""layers" : 3"#, #""layers" : -1"#),
  ])
  func routerOfAnotherEncoderIsLeftOut(pattern: String, replacement: String) async throws {
    let fixture = try await ServiceFixture()
    let manifest = URL(
      filePath: RouterFiles(fixture.configuration).directory + "/ridge/router.json")
    let text = try String(contentsOf: manifest, encoding: .utf8)
    let changed = try text.replacing(Regex(pattern), with: replacement)
    #expect(changed != text)
    try Data(changed.utf8).write(to: manifest)
    let service = try await fixture.start()
    #expect(await !service.readiness().isReady)
    await #expect(throws: ServiceError.self) { _ = try await service.decide(Self.code) }
    await service.shutDown()
  }

  @Test func logThatCannotBeOpenedDoesNotStopTheService() async throws {
    var fixture = try await ServiceFixture()
    fixture.configuration.log.database = "/proc/there/is/no/place"
    let service = try await fixture.start()
    let readiness = await service.readiness()
    #expect(readiness.isReady)
    #expect(readiness.decisionLog != "ok")
    #expect(try await service.decide(Self.code).expert == "smollm2-135m")
    await #expect(throws: ServiceError.self) {
      _ = try await service.decisions(DecisionFilter())
    }
    await service.shutDown()
  }

  @Test func withoutALog() async throws {
    var fixture = try await ServiceFixture()
    fixture.configuration.log.database = ""
    let service = try await fixture.start()
    #expect(try await service.decide(Self.code).expert == "smollm2-135m")
    await #expect {
      _ = try await service.decisions(DecisionFilter())
    } throws: { error in
      guard case .noLog? = error as? ServiceError else { return false }
      return true
    }
    await service.shutDown()
  }

  @Test func paretoOfAPromptAndOfTheLog() async throws {
    let fixture = try await ServiceFixture()
    let service = try await fixture.start()
    let report = try await service.pareto(Self.code, goal: .size)
    #expect(report.points.map(\.expert) == ["gemma3-270m", "smollm2-135m"])
    #expect(report.points.map(\.cost) == [1, 0])
    // Better and smaller: it beats the other on both.
    #expect(report.points.map(\.onParetoFront) == [false, true])
    #expect(try await service.decisions(DecisionFilter()).decisions.isEmpty, "nothing is logged")

    _ = try await service.decide(Self.code)
    _ = try await service.decide(Self.portuguese)
    await service.shutDown()
    let again = try await fixture.start()
    let overLog = try await again.pareto(overLogSince: nil, goal: .size)
    #expect(overLog.decisions == 2)
    #expect(overLog.report.points.map(\.share) == [0.5, 0.5])
    #expect(try await again.pareto(overLogSince: "2999-01-01", goal: .size).decisions == 0)
    await #expect(throws: ServiceError.self) {
      _ = try await again.pareto(overLogSince: "soon", goal: .size)
    }
    await #expect {
      _ = try await again.decision(id: "none")
    } throws: { error in
      guard case .unknownDecision("none")? = error as? ServiceError else { return false }
      return true
    }
    await again.shutDown()
  }

  @Test func unknownPreloadFailsTheStart() async throws {
    var fixture = try await ServiceFixture(router: false)
    fixture.configuration.models.preload = ["nobody"]
    let configured = fixture
    await #expect(throws: LibraryError.self) { _ = try await configured.start() }
  }
}
