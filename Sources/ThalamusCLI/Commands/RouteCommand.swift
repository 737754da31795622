import ArgumentParser
import Foundation
import Logging
import Routing
import Thalamus

struct RouteCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "route", abstract: "Decide which expert should answer a prompt, and say why.")

  @Argument(help: "The prompt; flags in it count. - reads standard input.")
  var prompt: String

  @Option(help: "Strategy: ridge, knn, kmeans, pilot, random or single:<expert>.")
  var strategy: String?

  @Flag(help: "Print the whole decision as JSON.")
  var json = false

  @OptionGroup var options: ConfigurationOptions

  func run() async throws {
    let service = try await QuietService.start(options)
    let text = prompt == "-" ? try Output.read(nil) : prompt
    let decision = try await service.decide(
      RoutingRequest(input: .prompt(text), strategy: strategy))
    if json {
      try Output.json(decision.routing, pretty: true)
    } else {
      Output.text(Self.table(decision.routing))
    }
    await service.shutDown()
  }

  private static func table(_ decision: RoutingDecision) -> String {
    let width = decision.experts.map(\.expert.count).max() ?? 0
    var lines = ["\(decision.expert)   (\(decision.strategy.name))", ""]
    for expert in decision.experts {
      let name = expert.expert.padding(toLength: width + 2, withPad: " ", startingAt: 0)
      if let reason = expert.reason {
        lines.append("\(name)not eligible: \(reason.message)")
        continue
      }
      let loss = expert.predictedLoss.map { String(format: "%.3f", $0) } ?? "unknown"
      let doubt = expert.uncertainty.map { String(format: " ± %.3f", $0) } ?? ""
      let terms = Goal.allCases.compactMap { goal -> String? in
        guard let term = expert.goals[goal], term.term > 0 else { return nil }
        return String(format: " + %@ %.3f", goal.rawValue, term.term)
      }.joined()
      let total = expert.total.map { String(format: " = %.3f", $0) } ?? ""
      lines.append("\(name)\(loss)\(doubt) bits per byte\(terms)\(terms.isEmpty ? "" : total)")
    }
    return lines.joined(separator: "\n")
  }
}

/// The service for a command that runs once: only warnings are logged, and nothing is preloaded.
enum QuietService {
  static func start(_ options: ConfigurationOptions) async throws -> ThalamusService {
    var settings = try options.load()
    settings.models.preload = []
    var logger = Logger(label: "thalamus") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .warning
    return try await ThalamusService.start(settings, logger: logger)
  }
}
