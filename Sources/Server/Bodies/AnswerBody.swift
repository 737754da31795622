import Generation
import JSON
import Routing
import Thalamus

/// The answer of `POST /route`.
struct AnswerBody {
  struct Completion: Encodable {
    let text: String
    /// What was thought before it; absent where nothing was.
    let reasoning: String?
    let finish_reason: String
  }

  let decision: Decision
  /// Absent where only the decision was asked for.
  var completion: Completion?
  var usage: UsageBody?
  var timings: TimingsBody

  init(_ decision: Decision) {
    self.decision = decision
    timings = TimingsBody(decision)
  }

  /// The body, with its keys in order.
  var json: [UInt8] {
    var json = JSONWriter(capacity: decision.expertsJSON.count + 2048)
    json.object { json in
      if let completion {
        json.key("completion")
        json.raw(JSONCoding.encode(completion))
      }
      Self.write(decision, to: &json)
      json.key("timings")
      timings.write(to: &json)
      if let usage {
        json.key("usage")
        json.raw(JSONCoding.encode(usage))
      }
    }
    return json.bytes
  }

  /// What a stream begins with: the decision alone.
  static func opening(_ decision: Decision) -> [UInt8] {
    var json = JSONWriter(capacity: decision.expertsJSON.count + 1024)
    json.object { json in write(decision, to: &json) }
    return json.bytes
  }

  private static func write(_ decision: Decision, to json: inout JSONWriter) {
    json.key("decision")
    decision.routing.write(to: &json, experts: decision.expertsJSON)
    json.key("expert")
    json.string(decision.expert)
    json.key("id")
    json.string(decision.id)
  }
}

/// Tokens of a request, with OpenAI's names.
struct UsageBody: Encodable {
  let prompt_tokens: Int
  let completion_tokens: Int
  let total_tokens: Int
  let prompt_tokens_details: PromptTokens
  /// Of an answer with thinking before it.
  let completion_tokens_details: CompletionTokens?
  /// Of a mixture of experts.
  let active_experts: ActiveExperts?
  /// Each expert's share of a layer's choices. // (layers, experts)
  let expert_shares: [[Double]]?
  /// By the expert's prices; absent where it has none.
  let cost_usd: Double?

  struct PromptTokens: Encodable {
    /// That an earlier request had left in the cache.
    let cached_tokens: Int
  }

  struct CompletionTokens: Encodable {
    let reasoning_tokens: Int
  }

  /// Experts that a token met in a layer.
  struct ActiveExperts: Encodable {
    let mean: Double
    let maximum: Int
  }

  init(_ summary: GenerationSummary, costUSD: Double? = nil, expertShares: Bool = false) {
    cost_usd = costUSD
    prompt_tokens = summary.promptTokens
    completion_tokens = summary.completionTokens
    total_tokens = summary.promptTokens + summary.completionTokens
    prompt_tokens_details = PromptTokens(cached_tokens: summary.reusedPromptTokens)
    completion_tokens_details =
      summary.reasoningTokens > 0
      ? CompletionTokens(reasoning_tokens: summary.reasoningTokens) : nil
    let gates = summary.gateStatistics
    active_experts = gates.flatMap { gates in
      gates.meanActive.map {
        ActiveExperts(mean: $0.roundedToMicroseconds, maximum: gates.maximumActive)
      }
    }
    expert_shares =
      expertShares
      ? gates.map { gates in
        (0..<gates.layerCount).map { layer in
          gates.shares(layer: layer).map { ($0 * 1e4).rounded() / 1e4 }
        }
      } : nil
  }
}

extension UsageBody {
  /// What several answers took together; of mixtures of experts it says nothing.
  ///
  /// - Parameter count: How many answers in a row are to one prompt, which counts once.
  init(_ parts: [UsageBody], answersOfAPrompt count: Int) {
    func sum(_ count: (UsageBody) -> Int) -> Int { parts.reduce(0) { $0 + count($1) } }
    let prompts = stride(from: 0, to: parts.count, by: count).map { parts[$0] }
    prompt_tokens = prompts.reduce(0) { $0 + $1.prompt_tokens }
    completion_tokens = sum(\.completion_tokens)
    total_tokens = prompt_tokens + completion_tokens
    prompt_tokens_details = PromptTokens(
      cached_tokens: prompts.reduce(0) { $0 + $1.prompt_tokens_details.cached_tokens })
    let reasoning = sum { $0.completion_tokens_details?.reasoning_tokens ?? 0 }
    completion_tokens_details =
      reasoning > 0 ? CompletionTokens(reasoning_tokens: reasoning) : nil
    active_experts = nil
    expert_shares = nil
    let costs = parts.compactMap(\.cost_usd)
    cost_usd = costs.isEmpty ? nil : costs.reduce(0, +)
  }
}

/// Where the time of a request went, in milliseconds.
struct TimingsBody: Encodable {
  let decision_ms: Double
  let embedding_ms: Double
  /// To read the prompt's images.
  var image_ms: Double?
  var queue_ms: Double?
  var prefill_ms: Double?
  var decode_ms: Double?
  var first_token_ms: Double?
  var decode_tokens_per_second: Double?

  init(_ decision: Decision) {
    decision_ms = (decision.routing.milliseconds ?? 0).roundedToMicroseconds
    embedding_ms = decision.embeddingMilliseconds.roundedToMicroseconds
  }

  init(_ decision: Decision, _ summary: GenerationSummary) {
    self.init(decision)
    let timings = summary.timings
    image_ms = timings.imageMilliseconds?.roundedToMicroseconds
    queue_ms = timings.queueMilliseconds.roundedToMicroseconds
    prefill_ms = timings.prefillMilliseconds.roundedToMicroseconds
    decode_ms = timings.decodeMilliseconds.roundedToMicroseconds
    first_token_ms = timings.firstTokenMilliseconds.roundedToMicroseconds
    if summary.completionTokens > 1, timings.decodeMilliseconds > 0 {
      let perSecond = Double(summary.completionTokens - 1) / timings.decodeMilliseconds * 1000
      decode_tokens_per_second = (perSecond * 10).rounded() / 10
    }
  }
}

extension TimingsBody {
  /// The same as its encoding, in a tenth of the time.
  func write(to json: inout JSONWriter) {
    json.object { json in
      json.member("decision_ms", decision_ms)
      json.member("decode_ms", decode_ms)
      json.member("decode_tokens_per_second", decode_tokens_per_second)
      json.member("embedding_ms", embedding_ms)
      json.member("first_token_ms", first_token_ms)
      json.member("image_ms", image_ms)
      json.member("prefill_ms", prefill_ms)
      json.member("queue_ms", queue_ms)
    }
  }
}

extension Double {
  /// Milliseconds without digits that no clock can tell.
  var roundedToMicroseconds: Double { (self * 1000).rounded() / 1000 }
}
