import DecisionLog
import Foundation
import Generation
import Routing

/// Where a decision stands in a trace.
package struct DecisionTrace: Sendable {
  let context: TraceContext
  /// The decision's own span, under which are those of its parts.
  let spanID = TraceContext.newSpanID()
  /// That of the answer, for an endpoint to know.
  let answerSpanID = TraceContext.newSpanID()

  /// What an endpoint that answers gets as `traceparent`.
  var traceparent: String { context.traceparent(span: answerSpanID) }
}

extension ThalamusService {
  /// The trace of a decision that is made now; nil where none is kept.
  func newTrace() -> DecisionTrace? {
    guard traces != nil else { return nil }
    let context = TraceContext.current ?? .root()
    return context.isSampled ? DecisionTrace(context: context) : nil
  }

  /// The header for an endpoint: of the span that asks it, or as it came where no traces are kept here.
  func traceparent(of decision: Decision) -> String? {
    if let trace = decision.trace { return trace.traceparent }
    return TraceContext.current.flatMap { context in
      context.spanID.map { context.traceparent(span: $0) }
    }
  }

  /// Makes a decision; one that can't be made leaves a span that says why.
  func makeTracedDecision(
    _ request: RoutingRequest, setbacks: [Setback] = []
  ) async throws -> Decision {
    let start = Date()
    do {
      return try await makeDecision(request, setbacks: setbacks)
    } catch {
      traceRefusal(error, from: start)
      throw error
    }
  }

  private func traceRefusal(_ error: any Error, from start: Date) {
    guard let traces, let trace = newTrace() else { return }
    // Of other errors the words may be the prompt's.
    let reason =
      if case RoutingError.noEligibleExpert(let reasons) = error {
        "no eligible expert: "
          + Set(reasons.map(\.reason.code)).sorted().joined(separator: ", ")
      } else {
        "the request can't be read, or the router can't"
      }
    traces.add([
      TraceSpan(
        traceID: trace.context.traceID, spanID: trace.spanID, parentSpanID: trace.context.spanID,
        name: "route", kind: .server, start: start, end: Date(),
        attributes: APIKey.current.map { [("thalamus.key.name", .text($0.name))] } ?? [],
        error: reason)
    ])
  }

  /// Hands the spans of a decision to the exporter, and of its answer where there was one. No text of either is in them.
  func trace(
    _ decision: Decision, _ completion: DecisionCompletion? = nil,
    _ summary: GenerationSummary? = nil
  ) {
    guard let traces, let trace = decision.trace else { return }
    let routing = decision.routing
    let start = decision.time.addingTimeInterval(-(routing.milliseconds ?? 0) / 1000)
    let end = completion == nil ? decision.time : Date()
    func span(
      _ name: String, _ id: String, under parent: String?, _ kind: TraceSpan.Kind, from start: Date,
      to end: Date, _ attributes: [(key: String, value: TraceSpan.Value?)], error: String? = nil
    ) -> TraceSpan {
      TraceSpan(
        traceID: trace.context.traceID, spanID: id, parentSpanID: parent, name: name, kind: kind,
        start: start, end: end,
        attributes: attributes.compactMap { key, value in value.map { (key, $0) } }, error: error)
    }
    let chosen = routing.experts.first { $0.expert == decision.expert }
    let identity: [(key: String, value: TraceSpan.Value?)] = [
      ("thalamus.decision.id", .text(decision.id)), ("thalamus.expert", .text(decision.expert)),
      ("thalamus.key.name", decision.key.map { .text($0.name) }),
    ]
    var spans = [
      span(
        "route \(decision.expert)", trace.spanID, under: trace.context.spanID, .server, from: start,
        to: end, identity, error: completion?.error),
      span(
        "decide", TraceContext.newSpanID(), under: trace.spanID, .inner, from: start,
        to: decision.time,
        [
          ("thalamus.strategy", .text(routing.strategy.name)),
          ("thalamus.router.version", routing.routerVersion.map { .text($0) }),
          ("thalamus.predicted_loss", chosen?.predictedLoss.map { .number($0) }),
          ("thalamus.margin", routing.margin.map { .number($0) }),
          ("thalamus.runner_up", routing.runnerUp.map { .text($0) }),
          ("thalamus.eligible", .whole(routing.experts.count { $0.eligible })),
          ("thalamus.embedding_ms", .number(decision.embeddingMilliseconds)),
        ]),
    ]
    if let completion {
      let isRemote = (try? library.manifest(decision.expert))?.endpoint != nil
      spans.append(
        span(
          "chat \(decision.expert)", trace.answerSpanID, under: trace.spanID,
          isRemote ? .client : .inner, from: decision.time, to: end,
          identity + [
            ("gen_ai.operation.name", .text("chat")), ("gen_ai.provider.name", .text("thalamus")),
            ("gen_ai.request.model", .text(decision.expert)),
            ("gen_ai.usage.input_tokens", completion.promptTokens.map { .whole($0) }),
            ("gen_ai.usage.output_tokens", completion.completionTokens.map { .whole($0) }),
            ("gen_ai.response.finish_reasons", completion.finishReason.map { .texts([$0]) }),
            ("thalamus.reused_prompt_tokens", (summary?.reusedPromptTokens).map { .whole($0) }),
            (
              "thalamus.image_ms", summary?.timings.imageMilliseconds.map { .number($0) }
            ),
            ("thalamus.queue_ms", (summary?.timings.queueMilliseconds).map { .number($0) }),
            ("thalamus.first_token_ms", completion.firstTokenMilliseconds.map { .number($0) }),
            ("thalamus.cost_usd", completion.costUSD.map { .number($0) }),
          ], error: completion.error))
    }
    traces.add(spans)
  }
}
