import Foundation
import Generation
import HTTP
import Logging
import Routing
import Synchronization
import Testing
import Thalamus

/// Spans, as a collector gets them.
@Suite(.serialized) struct TraceExporterTests {
  /// A collector of the test's own.
  private final class Collector: Sendable {
    let bodies = Mutex<[[UInt8]]>([])
    let headers = Mutex<[HTTPHeaders]>([])
    let server: HTTPServer

    init(status: HTTPStatus = .ok) throws {
      let box = Mutex<(@Sendable (HTTPRequest) -> Void)?>(nil)
      server = HTTPServer(configuration: HTTPServerConfiguration(port: 0)) { request in
        box.withLock { $0 }?(request)
        return HTTPResponse.json(Array("{}".utf8), status: status)
      }
      box.withLock {
        $0 = { [weak self] request in
          self?.bodies.withLock { $0.append(request.body) }
          self?.headers.withLock { $0.append(request.headers) }
        }
      }
      try server.start()
    }

    var endpoint: String { "http://127.0.0.1:\(server.port ?? 0)/v1/traces" }

    struct Span {
      let json: [String: Any]
      var name: String { json["name"] as? String ?? "" }
      var id: String { json["spanId"] as? String ?? "" }
      var parent: String? { json["parentSpanId"] as? String }
      var trace: String { json["traceId"] as? String ?? "" }
      var start: UInt64 { (json["startTimeUnixNano"] as? String).flatMap { UInt64($0) } ?? 0 }
      var end: UInt64 { (json["endTimeUnixNano"] as? String).flatMap { UInt64($0) } ?? 0 }
      subscript(_ key: String) -> [String: Any]? {
        (json["attributes"] as? [[String: Any]])?.first { $0["key"] as? String == key }?["value"]
          as? [String: Any]
      }
    }

    func spans() throws -> [Span] {
      try bodies.withLock { $0 }.flatMap { body -> [Span] in
        let root = try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]
        let resources = root?["resourceSpans"] as? [[String: Any]] ?? []
        return resources.flatMap { $0["scopeSpans"] as? [[String: Any]] ?? [] }
          .flatMap { $0["spans"] as? [[String: Any]] ?? [] }.map(Span.init)
      }
    }

    func end() async { await server.shutdown(graceTimeout: .zero) }
  }

  private static let request = RoutingRequest(
    input: .prompt("Write a Python function that adds two numbers"), maxTokens: 4)
  private static let parameters = SamplingParameters(temperature: 0, maxTokens: 4)

  /// An answer's spans stand under the caller's, and the endpoint hears of its own.
  @Test func anAnswer() async throws {
    let collector = try Collector()
    let parent = try #require(
      TraceContext(traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
    var heard: String?
    _ = try await RemoteServiceFixture.with(adjust: {
      $0.traces.endpoint = collector.endpoint
      $0.traces.headers = ["x-api-key=secret=1"]
    }) { service, peer in
      let answer = try await TraceContext.$current.withValue(parent) {
        try await service.answer(Self.request, parameters: Self.parameters)
      }
      _ = try await answer.collect()
      _ = try await service.decide(Self.request)
      heard = peer.traceparents.first ?? nil
    }
    // The service has ended, and has sent what it had.
    let spans = try collector.spans()
    #expect(collector.headers.withLock { $0.first?["x-api-key"] } == "secret=1")
    #expect(spans.map(\.name) == ["route far", "decide", "chat far", "route far", "decide"])
    let (route, decide, chat) = (spans[0], spans[1], spans[2])
    #expect(spans[..<3].allSatisfy { $0.trace == parent.traceID })
    #expect(route.parent == parent.spanID)
    #expect(decide.parent == route.id && chat.parent == route.id)
    #expect(Set(spans.map(\.id)).count == 5)
    #expect(heard == parent.traceparent(span: chat.id))
    #expect(route.start <= decide.start && decide.end <= chat.start && chat.end <= route.end)
    #expect(chat["gen_ai.usage.output_tokens"]?["intValue"] as? String == "2000")
    #expect(chat["thalamus.cost_usd"]?["doubleValue"] as? Double == 0.005)
    #expect(decide["thalamus.eligible"]?["intValue"] as? String == "3")
    #expect((decide["thalamus.predicted_loss"]?["doubleValue"] as? Double ?? 0) > 0)
    // A decision without a caller's trace begins one.
    #expect(spans[3].parent == nil && spans[3].trace != parent.traceID)
    // Nobody's words are in it.
    let text = String(decoding: collector.bodies.withLock { $0.joined() }, as: UTF8.self)
    #expect(!text.contains("Python") && !text.contains("from afar"))
    await collector.end()
  }

  /// What was tried first and what came in its place are one trace; a failure is told.
  @Test func anotherExpertTakesThePrompt() async throws {
    let collector = try Collector()
    _ = try await RemoteServiceFixture.with(
      failures: [503], adjust: { $0.traces.endpoint = collector.endpoint }
    ) { service, _ in
      let answer = try await service.answer(Self.request, parameters: Self.parameters)
      _ = try await answer.collect()
    }
    let spans = try collector.spans()
    #expect(Set(spans.map(\.trace)).count == 1)
    #expect(
      spans.map(\.name) == [
        "route far", "decide", "chat far", "route smollm2-135m", "decide", "chat smollm2-135m",
      ])
    #expect((spans[2].json["status"] as? [String: Any])?["code"] as? Int == 2)
    #expect(spans[5].json["status"] == nil)
    await collector.end()
  }

  /// What nobody may answer is told, with the reasons and none of the prompt's words.
  @Test func aRefusal() async throws {
    let collector = try Collector()
    _ = try await RemoteServiceFixture.with(adjust: { $0.traces.endpoint = collector.endpoint }) {
      service, _ in
      var request = Self.request
      request.constraints.maxParameters = 1
      await #expect(throws: RoutingError.self) { _ = try await service.decide(request) }
      await #expect(throws: RoutingError.self) {
        _ = try await service.answer(request, parameters: Self.parameters)
      }
      request = RoutingRequest(input: .prompt("Secret [Flag: local onyl]"))
      await #expect(throws: RoutingError.self) { _ = try await service.decide(request) }
    }
    let spans = try collector.spans()
    #expect(spans.map(\.name) == ["route", "route", "route"])
    let messages = spans.map { ($0.json["status"] as? [String: Any])?["message"] as? String ?? "" }
    #expect(messages[0].contains("max_parameters") && messages[1] == messages[0])
    let text = String(decoding: collector.bodies.withLock { $0.joined() }, as: UTF8.self)
    #expect(!text.contains("Secret") && !text.contains("onyl") && !text.contains("Python"))
    await collector.end()
  }

  @Test func aCallerThatKeepsNoTrace() async throws {
    let collector = try Collector()
    let parent = try #require(
      TraceContext(traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"))
    _ = try await RemoteServiceFixture.with(adjust: { $0.traces.endpoint = collector.endpoint }) {
      service, peer in
      _ = try await TraceContext.$current.withValue(parent) {
        try await service.answer(Self.request, parameters: Self.parameters).collect()
      }
      // Handed on as it came.
      #expect(peer.traceparents == [parent.traceparent(span: "00f067aa0ba902b7")])
    }
    #expect(try collector.spans().isEmpty)
    await collector.end()
  }

  private func exporter(_ endpoint: String) throws -> TraceExporter {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return try TraceExporter(
      endpoint: endpoint, version: "0", pause: .seconds(3600), logger: logger)
  }

  private func spans(_ count: Int) -> [TraceSpan] {
    (0..<count).map { _ in
      TraceSpan(
        traceID: TraceContext.root().traceID, spanID: TraceContext.newSpanID(), parentSpanID: nil,
        name: "x", kind: .inner, start: Date(), end: Date(), attributes: [])
    }
  }

  /// A collector that is gone, or refuses, costs the spans and nothing else.
  @Test func lostSpansAreCounted() async throws {
    let collector = try Collector(status: .serviceUnavailable)
    let refused = try exporter(collector.endpoint)
    refused.add(spans(3))
    await refused.sendWaiting()
    #expect(refused.counts == (0, 3))
    await refused.shutDown()
    await collector.end()
    let gone = try exporter("http://127.0.0.1:1/v1/traces")
    gone.add(spans(5_000))
    #expect(gone.counts == (0, 904), "4,096 may wait")
    await gone.shutDown()
    #expect(gone.counts == (0, 5_000))
  }

  @Test func batches() async throws {
    let collector = try Collector()
    let exporter = try exporter(collector.endpoint)
    exporter.add(spans(1_100))
    await exporter.sendWaiting()
    #expect(exporter.counts == (1_100, 0))
    #expect(collector.bodies.withLock { $0.count } == 3)
    #expect(try collector.spans().count == 1_100)
    await exporter.shutDown()
    await collector.end()
  }

  @Test(arguments: ["localhost:4318", "ftp://x", "/v1/traces"])
  func endpointsThatAreNone(endpoint: String) {
    #expect(throws: ConfigurationError.self) { try exporter(endpoint) }
  }
}
