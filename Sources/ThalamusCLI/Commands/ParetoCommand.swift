import ArgumentParser
import Foundation
import Routing
import Thalamus

struct ParetoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pareto",
    abstract: "Every expert's predicted loss on a prompt against a goal, and the front.")

  @Argument(help: "The prompt; without it, all logged decisions.")
  var prompt: String?

  @Option(help: "size, recency, security, latency, cost, verbosity or readability.")
  var goal = "size"

  @Option(help: "Only logged decisions from this time on, as 2026-01-31 or 2026-01-31T12:00:00Z.")
  var since: String?

  @Flag(help: "Print the picture, an SVG, instead of JSON.")
  var svg = false

  @OptionGroup var options: ConfigurationOptions

  func run() async throws {
    guard let goal = Goal.ofExperts.first(where: { $0.rawValue == goal }) else {
      throw CommandFailure(
        "unknown goal '\(goal)'; known: \(Goal.ofExperts.map(\.rawValue).joined(separator: ", "))")
    }
    let service = try await QuietService.start(options)
    let report =
      if let prompt {
        try await service.pareto(RoutingRequest(input: .prompt(prompt)), goal: goal)
      } else {
        try await service.pareto(overLogSince: since, goal: goal).report
      }
    if svg { Output.text(ParetoChart.svg(report)) } else { try Output.json(report, pretty: true) }
    await service.shutDown()
  }
}
