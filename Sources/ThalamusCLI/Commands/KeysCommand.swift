import ArgumentParser
import DecisionLog
import Foundation
import Logging
import Routing
import Thalamus

struct KeysCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys", abstract: "Add, list and remove keys with names, budgets and limits.",
    subcommands: [KeysListCommand.self, KeysAddCommand.self, KeysRemoveCommand.self],
    defaultSubcommand: KeysListCommand.self)
}

extension ConfigurationOptions {
  /// The configuration and its folder of keys.
  fileprivate func loadKeys() throws -> (settings: Configuration, folder: KeyFolder) {
    let settings = try load()
    guard let folder = KeyFolder(settings) else {
      throw CommandFailure(
        "there is no place for keys: server.keys_directory and log.database are empty")
    }
    return (settings, folder)
  }
}

struct KeysAddCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Make a key and print it: this once, since only its SHA-256 is kept.",
    discussion: """
      A running server takes it within a second. From its first key on a server asks every client for one, besides those of \
      server.api_keys.
      """)

  @Argument(help: "Whose it is: small letters, digits, '.', '_' and '-'.")
  var name: String

  @Option(help: "US dollars that its requests may cost in a period, by the prices of the cards.")
  var budgetUSD: Double?

  @Option(help: "day, week, month or total.")
  var budgetPeriod: Budget.Period?

  @Option(help: "Most requests a minute.")
  var requestsPerMinute: Int?

  @Flag(help: "Its prompts stay on this machine.")
  var localOnly = false

  @Option(help: "An expert that it may use; may be given several times. Without it: all.")
  var expert: [String] = []

  @Option(help: "Most US dollars for one answer.")
  var maxCostUSD: Double?

  @Flag(help: "It sees everybody's decisions and the metrics.")
  var admin = false

  @OptionGroup var options: ConfigurationOptions

  func run() async throws {
    let (_, folder) = try options.loadKeys()
    let secret = APIKey.random()
    let key = APIKey(
      name: name, sha256: SHA256.hex(of: secret), created: CalendarDate(Date()), isAdmin: admin,
      constraints: Constraints(
        localOnly: localOnly ? true : nil, maxCostUSD: maxCostUSD,
        experts: expert.isEmpty ? nil : Set(expert)),
      budget: budgetUSD.map { Budget(usd: $0, period: budgetPeriod ?? .month) },
      requestsPerMinute: requestsPerMinute)
    if budgetPeriod != nil, budgetUSD == nil {
      throw CommandFailure("--budget-period needs --budget-usd")
    }
    try folder.add(key)
    Output.text(secret)
    Output.note("\(folder.path)/\(name).yaml has its limits; the key above is kept nowhere")
  }
}

struct KeysListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "One line a key: what it may do, and what it has spent.")

  @OptionGroup var options: ConfigurationOptions

  func run() async throws {
    let (settings, folder) = try options.loadKeys()
    let contents = try folder.read()
    let ledger = try await spending(settings)
    let now = Date()
    for key in contents.keys {
      let period = key.budget?.period ?? .month
      let spent = ledger.spentUSD(by: key.name, in: period, at: now)
      Output.text(
        [
          key.name,
          "$\(spent)" + (key.budget.map { " of $\($0.usd)" } ?? "") + " \(period.phrase)",
          key.requestsPerMinute.map { "\($0) requests a minute" } ?? "any number of requests",
          key.constraints.isEmpty
            ? "no limits"
            : key.constraints.stated.map { "\($0.key.rawValue)=\($0.value)" }.joined(
              separator: " "),
          key.isAdmin ? "admin" : "own decisions",
          key.created.map { "since \($0)" } ?? "",
        ].joined(separator: "\t"))
    }
    for problem in contents.problems { Output.note("\(problem)") }
  }

  /// What the log says; nothing where there is none yet.
  private func spending(_ settings: Configuration) async throws -> SpendingLedger {
    let path = settings.log.database
    guard !path.isEmpty, FileManager.default.fileExists(atPath: path) else {
      return SpendingLedger()
    }
    let log = DecisionLog(.init(path: path))
    let rows = try await log.spending()
    try await log.close()
    return SpendingLedger(spending: rows)
  }
}

struct KeysRemoveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Take a key away; a running server refuses it within a second."
  )

  @Argument(help: "The key's name.")
  var name: String

  @OptionGroup var options: ConfigurationOptions

  func run() async throws {
    let (_, folder) = try options.loadKeys()
    try folder.remove(name)
    Output.text("\(name) is removed; what it asked stays in the log")
  }
}

extension Budget.Period: ExpressibleByArgument {}
