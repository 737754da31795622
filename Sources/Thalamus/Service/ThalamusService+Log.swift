import DecisionLog
import Foundation
import Generation
import Logging
import Routing

extension ThalamusService {
  /// Opens the log where one is kept. A log that cannot be opened does not stop the server: it is
  /// tried again with each batch, and `/readyz` says so.
  static func openLog(_ configuration: Configuration, logger: Logger) async -> DecisionLog? {
    let settings = configuration.log
    guard !settings.database.isEmpty else { return nil }
    let folder = URL(filePath: settings.database).deletingLastPathComponent()
    try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let policy: PromptPolicy =
      switch settings.prompts {
      case .store: .store
      case .hash: .hash
      case .omit: .omit
      }
    let log = DecisionLog(.init(path: settings.database, promptPolicy: policy))
    if let problem = log.health { logger.error("\(problem); it will be tried again") }
    return log
  }

  /// What earlier runs measured of the experts.
  static func storedStatistics(_ log: DecisionLog?) async -> StatisticsStore {
    let rows = (try? await log?.statistics()) ?? []
    let averages = rows.map { row in
      (
        row.expert,
        ExpertStatistics(
          answers: row.answers, firstTokenMilliseconds: row.firstTokenMilliseconds,
          prefillMilliseconds: row.prefillMilliseconds, readTokens: row.readTokens,
          perTokenMilliseconds: row.perTokenMilliseconds,
          outputTokens: row.outputTokens,
          readingEase: row.readingEase)
      )
    }
    return StatisticsStore(Dictionary(averages) { $1 })
  }

  /// What earlier runs spent; a log that cannot be read does not stop the server, and budgets begin anew then.
  static func storedSpending(
    _ log: DecisionLog?, _ settings: Configuration.Spending, _ logger: Logger
  ) async -> SpendingLedger {
    var rows: [DailySpending] = []
    do {
      rows = try await log?.spending() ?? []
    } catch {
      logger.error("\(error): budgets are held against what is spent from now on")
    }
    return SpendingLedger(
      serverBudget: settings.usd > 0 ? Budget(usd: settings.usd, period: settings.period) : nil,
      spending: rows)
  }

  /// Marks decisions that an earlier server left unfinished. Not for tools beside a running server.
  package func markInterruptedDecisions() async {
    _ = try? await log?.markInterrupted()
  }

  func closeLog() async {
    do {
      try await log?.close()
    } catch {
      logger.error("\(error)")
    }
  }

  var logState: String {
    guard let log else { return "none is kept" }
    return log.health.map(\.description) ?? "ok"
  }

  /// Whether the log, where one is kept, takes what it is given.
  package var logIsHealthy: Bool { log?.health == nil }

  /// Counts and logs a decision before its answer begins.
  func record(_ decision: Decision, answering: Bool) {
    metrics.note(decision, answering: answering)
    guard let log else { return }
    let routing = decision.routing
    let text = decision.prompt.loggedText
    func string(_ json: [UInt8]) -> String { String(decoding: json, as: UTF8.self) }
    write {
      try log.append(
        DecisionRecord(
          id: decision.id, timeMilliseconds: Self.milliseconds(decision.time), promptText: text,
          promptSHA256: SHA256.hex(of: decision.prompt.routingText),
          promptBytes: text.utf8.count, expert: decision.expert,
          strategy: routing.strategy.name, routerVersion: routing.routerVersion,
          // A flag that could not be read is a piece of the prompt, and kept only where prompts are.
          flagsJSON: string(
            routing.flagsJSON(quotesIgnored: configuration.log.prompts == .store)),
          constraintsJSON: string(routing.constraintsJSON),
          expertsJSON: string(decision.expertsJSON),
          decisionMilliseconds: routing.milliseconds ?? 0, keyName: decision.key?.name,
          status: answering ? .pending : .decided))
    }
  }

  /// Logs what came of an answer, and lets the goals learn from it.
  func recordOutcome(
    _ outcome: AnswerRecorder.Outcome, of decision: Decision,
    _ reservation: SpendingLedger.Reservation
  ) {
    var completion = DecisionCompletion(
      id: decision.id, status: .completed, promptTokens: outcome.promptTokens,
      totalMilliseconds: Date().timeIntervalSince(decision.time) * 1000,
      outputCharacters: outcome.text.count)
    if outcome.hasContent {
      conversations.note(
        answer: outcome.text, calling: outcome.calledFunctions,
        to: decision.prompt.expertInput, by: decision.expert)
    }
    switch outcome.end {
    case .finished(let summary):
      completion.completionTokens = summary.completionTokens
      completion.promptTokens = summary.promptTokens
      completion.firstTokenMilliseconds = summary.timings.firstTokenMilliseconds
      completion.finishReason = summary.finishReason.openAIName
      completion.costUSD = costUSD(
        of: decision, promptTokens: summary.promptTokens,
        completionTokens: summary.completionTokens)
      learn(from: summary, text: outcome.text, of: decision.expert)
    case .failed(let error):
      let isCancelled = error is CancellationError || error as? GenerationError == .cancelled
      completion.status = isCancelled ? .cancelled : .failed
      completion.completionTokens = outcome.pieces
      completion.error = isCancelled ? nil : "\(error)"
      completion.costUSD = costUSD(ofUnfinished: outcome, decision)
    case .cancelled:
      completion.status = .cancelled
      completion.completionTokens = outcome.pieces
      completion.firstTokenMilliseconds = outcome.firstPieceMilliseconds
      completion.finishReason = "cancelled"
      completion.costUSD = costUSD(ofUnfinished: outcome, decision)
    }
    spending.settle(reservation, costUSD: completion.costUSD ?? 0)
    metrics.note(
      completion.metricsEnding, summary: outcome.summary, expert: decision.expert,
      keyName: decision.key?.name, costUSD: completion.costUSD)
    trace(decision, completion, outcome.summary)
    guard let log else { return }
    let final = completion
    write { try log.complete(final) }
  }

  /// US dollars by the expert's prices; nil where it has none.
  private func costUSD(
    of decision: Decision, promptTokens: Int, completionTokens: Int
  ) -> Double? {
    (try? library.manifest(decision.expert))?.card.costUSD(
      promptTokens: promptTokens, completionTokens: completionTokens)
  }

  /// What an answer that broke off is taken to cost: its prompt, and as many tokens as pieces came. An endpoint that gave
  /// nothing is taken to ask for nothing.
  private func costUSD(
    ofUnfinished outcome: AnswerRecorder.Outcome, _ decision: Decision
  ) -> Double? {
    guard outcome.pieces > 0 else { return nil }
    return costUSD(
      of: decision,
      promptTokens: outcome.promptTokens ?? decision.prompt.expertByteCount / 4,
      completionTokens: outcome.pieces)
  }

  private func learn(from summary: GenerationSummary, text: String, of expert: String) {
    let timings = summary.timings
    statistics.record(
      expert, firstTokenMilliseconds: timings.firstTokenMilliseconds,
      prefillMilliseconds: timings.prefillMilliseconds,
      readTokens: summary.promptTokens - summary.reusedPromptTokens,
      totalMilliseconds: timings.firstTokenMilliseconds + timings.decodeMilliseconds,
      outputTokens: summary.completionTokens, isWhole: summary.finishReason.isOwn,
      text: text)
    guard let log else { return }
    let measured = statistics.of(expert)
    write {
      try log.update(
        ExpertStatisticsRecord(
          expert: expert, answers: measured.answers,
          firstTokenMilliseconds: measured.firstTokenMilliseconds,
          prefillMilliseconds: measured.prefillMilliseconds, readTokens: measured.readTokens,
          perTokenMilliseconds: measured.perTokenMilliseconds,
          outputTokens: measured.outputTokens, readingEase: measured.readingEase,
          timeMilliseconds: Self.milliseconds(Date())))
    }
  }

  /// A log that takes no more must not fail the request, and must not go unnoticed either.
  private func write(_ entry: () throws -> Void) {
    do {
      try entry()
      logTrouble.withLock { $0 = false }
    } catch {
      let isNews = logTrouble.withLock { known in
        defer { known = true }
        return !known
      }
      if isNews { logger.error("\(error)") }
    }
  }

  static func milliseconds(_ time: Date) -> Int64 { Int64(time.timeIntervalSince1970 * 1000) }
}

extension AnswerRecorder.Outcome {
  fileprivate var summary: GenerationSummary? {
    if case .finished(let summary) = end { summary } else { nil }
  }
}

extension DecisionCompletion {
  fileprivate var metricsEnding: ServiceMetrics.Ending {
    switch status {
    case .completed: .completed
    case .cancelled: .cancelled
    default: .failed
    }
  }
}
