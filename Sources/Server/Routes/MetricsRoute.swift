import Foundation
import HTTP
import Thalamus

/// `GET /metrics`: what the server has done since it started, for Prometheus.
struct MetricsRoute: Sendable {
  let service: ThalamusService

  func handle(_ request: HTTPRequest) async throws -> HTTPResponse {
    guard APIKey.currentIsAdmin else {
      throw APIError(
        status: .forbidden, message: "this key sees its own requests alone (/usage)",
        code: "permission_denied")
    }
    let counts = service.metrics.snapshot
    let resident = await service.library.resident
    var page = PrometheusText()
    let experts = service.library.ids.map { ($0, counts.experts[$0] ?? .init()) }

    page.family("thalamus_decisions_total", "counter", "Decisions for an expert.")
    for (id, expert) in experts {
      page.sample("thalamus_decisions_total", [("expert", id)], Double(expert.decisions))
    }
    page.family("thalamus_strategy_decisions_total", "counter", "Decisions of a strategy.")
    for (name, count) in counts.strategies.sorted(by: { $0.key < $1.key }) {
      page.sample("thalamus_strategy_decisions_total", [("strategy", name)], Double(count))
    }
    page.family("thalamus_decision_seconds", "histogram", "Time of a decision, embedding included.")
    page.histogram("thalamus_decision_seconds", [], counts.decisionTime)
    page.family("thalamus_embedding_seconds", "histogram", "Time of a prompt's embedding.")
    page.histogram("thalamus_embedding_seconds", [], counts.embeddingTime)

    page.family("thalamus_answers_total", "counter", "Answers of an expert, by how they ended.")
    for (id, expert) in experts {
      for ending in ServiceMetrics.Ending.allCases {
        page.sample(
          "thalamus_answers_total", [("expert", id), ("ending", ending.rawValue)],
          Double(expert.answers[ending] ?? 0))
      }
    }
    page.family("thalamus_feedback_total", "counter", "What callers said of an expert's answers.")
    for (id, expert) in experts {
      for opinion in ServiceMetrics.Opinion.allCases {
        page.sample(
          "thalamus_feedback_total", [("expert", id), ("opinion", opinion.rawValue)],
          Double(expert.opinions[opinion] ?? 0))
      }
    }
    page.family("thalamus_answers_running", "gauge", "Answers that run or wait now.")
    page.sample("thalamus_answers_running", [], Double(counts.running))
    page.family("thalamus_prompt_tokens_total", "counter", "Tokens of answered prompts.")
    for (id, expert) in experts {
      page.sample("thalamus_prompt_tokens_total", [("expert", id)], Double(expert.promptTokens))
    }
    page.family(
      "thalamus_reused_prompt_tokens_total", "counter",
      "Prompt tokens that an earlier request had left in the cache.")
    for (id, expert) in experts {
      page.sample(
        "thalamus_reused_prompt_tokens_total", [("expert", id)], Double(expert.reusedPromptTokens))
    }
    page.family(
      "thalamus_draft_tokens_total", "counter", "Tokens that were guessed ahead and proved.")
    for (id, expert) in experts {
      page.sample("thalamus_draft_tokens_total", [("expert", id)], Double(expert.draftedTokens))
    }
    page.family(
      "thalamus_accepted_draft_tokens_total", "counter", "Guessed tokens that came true.")
    for (id, expert) in experts {
      page.sample(
        "thalamus_accepted_draft_tokens_total", [("expert", id)],
        Double(expert.acceptedDraftTokens))
    }
    page.family("thalamus_completion_tokens_total", "counter", "Tokens that were generated.")
    for (id, expert) in experts {
      page.sample(
        "thalamus_completion_tokens_total", [("expert", id)], Double(expert.completionTokens))
    }
    page.family(
      "thalamus_cost_usd_total", "counter", "US dollars of answers, by the card's prices.")
    for (id, expert) in experts where expert.costUSD > 0 {
      page.sample("thalamus_cost_usd_total", [("expert", id)], expert.costUSD)
    }
    addKeys(to: &page, counts)
    page.family(
      "thalamus_first_token_seconds", "histogram", "From a request to its answer's first token.")
    for (id, expert) in experts where expert.firstToken.count > 0 {
      page.histogram("thalamus_first_token_seconds", [("expert", id)], expert.firstToken)
    }
    page.family("thalamus_token_seconds", "histogram", "Mean time of an answer's further tokens.")
    for (id, expert) in experts where expert.perToken.count > 0 {
      page.histogram("thalamus_token_seconds", [("expert", id)], expert.perToken)
    }
    let mixtures = experts.filter { $0.1.gates.choiceCount > 0 }
    page.family(
      "thalamus_gate_choices_total", "counter",
      "Choices of a mixture's gates: one a token and layer.")
    for (id, expert) in mixtures {
      page.sample("thalamus_gate_choices_total", [("expert", id)], Double(expert.gates.choiceCount))
    }
    page.family(
      "thalamus_gate_active_total", "counter",
      "Experts that these choices made active; over the choices, the mean a token.")
    for (id, expert) in mixtures {
      page.sample("thalamus_gate_active_total", [("expert", id)], Double(expert.gates.activeSum))
    }
    page.family(
      "thalamus_gate_expert_total", "counter", "Choices of one expert inside a mixture, all layers."
    )
    for (id, expert) in mixtures {
      for member in 0..<expert.gates.expertCount {
        let count = (0..<expert.gates.layerCount).reduce(0) {
          $0 + expert.gates.count(layer: $1, expert: member)
        }
        page.sample(
          "thalamus_gate_expert_total", [("expert", id), ("member", "\(member)")], Double(count))
      }
    }
    page.family("thalamus_expert_resident", "gauge", "1 where an expert is loaded.")
    for id in service.library.ids {
      page.sample("thalamus_expert_resident", [("expert", id)], resident.contains(id) ? 1 : 0)
    }
    page.family(
      "thalamus_expert_memory_bytes", "gauge",
      "Memory of the model that an expert is on, caches included; experts on one model share it.")
    for (id, bytes) in await service.library.residentBytes.sorted(by: { $0.key < $1.key }) {
      page.sample("thalamus_expert_memory_bytes", [("expert", id)], Double(bytes))
    }
    page.family("thalamus_model_unloads_total", "counter", "Models that were let go.")
    for (id, count) in await service.library.unloads.sorted(by: { $0.key < $1.key }) {
      page.sample("thalamus_model_unloads_total", [("expert", id)], Double(count))
    }
    page.family("thalamus_expert_available", "gauge", "0 where an expert can't be asked now.")
    for expert in await service.experts() {
      page.sample(
        "thalamus_expert_available", [("expert", expert.card.id)], expert.obstacle == nil ? 1 : 0)
    }
    if let counts = service.traces?.counts {
      page.family(
        "thalamus_trace_spans_total", "counter", "Spans that the collector took, or that were lost."
      )
      for (state, count) in [("sent", counts.sent), ("dropped", counts.dropped)] {
        page.sample("thalamus_trace_spans_total", [("state", state)], Double(count))
      }
    }
    page.family("thalamus_log_healthy", "gauge", "1 where the decision log takes what it is given.")
    page.sample("thalamus_log_healthy", [], service.logIsHealthy ? 1 : 0)
    if let bytes = ProcessMemory.residentBytes {
      page.family("process_resident_memory_bytes", "gauge", "Resident memory.")
      page.sample("process_resident_memory_bytes", [], Double(bytes))
    }
    return HTTPResponse(
      status: .ok, headers: ["Content-Type": PrometheusText.contentType],
      body: .bytes(Array(page.text.utf8)))
  }
}

extension MetricsRoute {
  /// What the keys with names are used for.
  private func addKeys(to page: inout PrometheusText, _ counts: ServiceMetrics.Snapshot) {
    let used = counts.keys.sorted { $0.key < $1.key }
    page.family("thalamus_key_answers_total", "counter", "Answers to a key, by how they ended.")
    for (name, key) in used {
      for ending in ServiceMetrics.Ending.allCases {
        page.sample(
          "thalamus_key_answers_total", [("key", name), ("ending", ending.rawValue)],
          Double(key.answers[ending] ?? 0))
      }
    }
    page.family("thalamus_key_tokens_total", "counter", "Tokens of a key's prompts and answers.")
    for (name, key) in used {
      for (kind, count) in [("prompt", key.promptTokens), ("completion", key.completionTokens)] {
        page.sample(
          "thalamus_key_tokens_total", [("key", name), ("kind", kind)], Double(count))
      }
    }
    page.family("thalamus_key_cost_usd_total", "counter", "US dollars of a key's answers.")
    for (name, key) in used where key.costUSD > 0 {
      page.sample("thalamus_key_cost_usd_total", [("key", name)], key.costUSD)
    }
    page.family(
      "thalamus_budget_remaining_usd", "gauge",
      "What is left of a key's budget in its period, and of the server's under an empty name.")
    for key in service.keys.keys {
      guard let left = service.budget(of: key).remainingUSD else { continue }
      page.sample("thalamus_budget_remaining_usd", [("key", key.name)], left)
    }
    if let left = service.serverBudget().remainingUSD {
      page.sample("thalamus_budget_remaining_usd", [("key", "")], left)
    }
  }
}

/// What the operating system says of this process.
enum ProcessMemory {
  /// Nil where the system has no `/proc`.
  static var residentBytes: Int? {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else {
      return nil
    }
    let fields = text.split(separator: " ")
    guard fields.count > 1, let pages = Int(fields[1]) else { return nil }
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  }
}
