import ArgumentParser
import DecisionLog
import Foundation
import Library
import Thalamus

struct OutcomesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "outcomes", abstract: "Measure experts on prompts: what routers are trained on.",
    subcommands: [
      OutcomesPromptsCommand.self, OutcomesCollectCommand.self, OutcomesExportCommand.self,
    ])
}

struct OutcomesPromptsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prompts",
    abstract: "Write the prompts that were asked, from the decision log, as a file for `collect`.")

  @Option(help: "File to write, JSON Lines.")
  var output: String

  @Option(help: "Only those asked since this day or time, such as 2026-01-31.")
  var since: String?

  @Option(help: "At most so many, the latest.")
  var limit = 2000

  @OptionGroup var configuration: ConfigurationOptions

  func validate() throws {
    if !(1...1_000_000).contains(limit) { throw ValidationError("--limit: 1 to 1000000") }
  }

  func run() async throws {
    let settings = try configuration.load()
    let start = try since.map { try ThalamusService.time($0) }
    // Opening it would make one.
    guard FileManager.default.fileExists(atPath: settings.log.database) else {
      throw CommandFailure("there is no decision log at '\(settings.log.database)' (log.database)")
    }
    let log = DecisionLog(.init(path: settings.log.database))
    if let problem = log.health { throw CommandFailure("\(problem)") }
    let (rows, leftOut) = PromptRow.logged(
      try await log.prompts(sinceMilliseconds: start, limit: limit))
    try await log.close()
    guard !rows.isEmpty else {
      throw CommandFailure(
        "the log has no whole prompts\(since.map { " since \($0)" } ?? ""): \(output) is left as it is"
      )
    }
    try PromptFile.write(rows, to: output)
    Output.text("\(rows.count) prompts in \(output)")
    if leftOut > 0 {
      Output.note(
        "\(leftOut) left out: longer than what the log keeps, or chats that it can't tell apart")
    }
  }
}

/// What both commands need.
struct OutcomesOptions: ParsableArguments {
  @Option(
    help: "JSON Lines with id, domain, prompt, and perhaps answer and split (train or heldout).")
  var file: String

  @Option(help: "Only these experts, separated by commas.")
  var experts: String?

  @OptionGroup var configuration: ConfigurationOptions

  /// - Parameter sends: Whether experts are asked: remote ones then only where they are named, since the prompts go
  ///   there, and perhaps cost money.
  func open(sends: Bool) throws -> (OutcomeCollection, [PromptRow]) {
    let settings = try configuration.load()
    guard !settings.log.database.isEmpty else {
      throw CommandFailure("outcomes are kept in the database; log.database is empty")
    }
    let folder = URL(filePath: settings.log.database).deletingLastPathComponent()
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let cards = try LibraryCards(directory: settings.models.directory)
    var manifests = cards.manifests
    if let experts {
      let names = Names.list(experts)
      guard !names.isEmpty else { throw ValidationError("--experts names none") }
      for name in names { _ = try cards.manifest(name) }
      manifests = manifests.filter { names.contains($0.card.id) }
    } else {
      Output.note(cards.problems)
    }
    if sends {
      if experts == nil { manifests = manifests.filter { $0.endpoint == nil } }
      try Self.check(manifests, settings)
    }
    let log = DecisionLog(.init(path: settings.log.database))
    if let problem = log.health { throw CommandFailure("\(problem)") }
    let collection = OutcomeCollection(
      log: log, loader: try LocalExpertLoader(ComputeOptions(settings)), manifests: manifests)
    return (collection, try PromptFile.read(file))
  }
}

extension OutcomesOptions {
  /// The operator's own limit holds for measuring too.
  static func check(_ manifests: [ExpertManifest], _ settings: Configuration) throws {
    guard settings.constraints.localOnly else { return }
    if let remote = manifests.first(where: { $0.card.runs == .leavesMachine }) {
      throw CommandFailure(
        "constraints.local_only is set, and to measure \(remote.card.id) would send the prompts away"
      )
    }
  }
}

struct OutcomesCollectCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "collect",
    abstract:
      "Measure every local expert's loss on a file of prompts, and that of remote ones that --experts names; goes on where it stopped."
  )

  @OptionGroup var options: OutcomesOptions

  func run() async throws {
    let (collection, rows) = try options.open(sends: true)
    var bar: ProgressBar?
    let source = URL(filePath: options.file).lastPathComponent
    let problems = try await collection.run(rows, source: source) { progress in
      if bar == nil { bar = ProgressBar(total: progress.total) }
      bar?.show(progress.done, progress.expert)
    }
    Output.note(problems)
    let count = rows.count * collection.manifests.count
    Output.text("\(count - problems.count) outcomes in the database, \(problems.count) failed")
    try await collection.log.close()
    if count > 0, problems.count == count { throw ExitCode.failure }
  }
}

struct OutcomesExportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write the prompts with their measured losses, for `router train` and `evaluate`.")

  @OptionGroup var options: OutcomesOptions

  @Option(help: "File to write, JSON Lines.")
  var output: String

  @Option(help: "Only the prompts of this split: train or heldout.")
  var split: String?

  func run() async throws {
    let (collection, rows) = try options.open(sends: false)
    var found = try await collection.export(rows)
    if let split {
      guard let wanted = PromptRow.Split(rawValue: split) else {
        throw CommandFailure("--split is train or heldout")
      }
      found = found.filter { $0.effectiveSplit == wanted }
    }
    try await collection.log.close()
    // What lies there may be all there is of earlier measurements.
    guard !found.isEmpty else {
      throw CommandFailure(
        "no outcomes of these prompts and experts, as they are now, in the database: \(output) is left as it is"
      )
    }
    try PromptFile.write(found, to: output)
    Output.text("\(found.count) prompts with outcomes in \(output)")
    for manifest in collection.manifests {
      let id = manifest.card.id
      let missing = found.count { $0.losses?[id] == nil } + rows.count - found.count
      if missing > 0 { Output.note("\(id): not measured on \(missing) of \(rows.count) prompts") }
    }
  }
}
