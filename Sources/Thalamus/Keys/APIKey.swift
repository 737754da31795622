import Foundation
import Library
import Routing
import Yams

/// A key with a name: what whoever holds it may do. Of the key itself only its digest is known.
package struct APIKey: Sendable, Equatable {
  /// Also its file's name, without `.yaml`; stands in the log and in metrics.
  package let name: String
  /// Of the key, in lower-case hexadecimal. Keys are 32 random bytes, so that no slower digest is needed.
  package let sha256: String
  /// When it was made.
  package let created: CalendarDate?
  /// Whether it sees what others asked, and what the server has done.
  package let isAdmin: Bool
  /// Limits of every request with it, which a request can tighten and never loosen.
  package let constraints: Constraints
  /// Nil for none of its own.
  package let budget: Budget?
  /// Nil for as many as come.
  package let requestsPerMinute: Int?

  package init(
    name: String, sha256: String, created: CalendarDate? = nil, isAdmin: Bool = false,
    constraints: Constraints = Constraints(), budget: Budget? = nil, requestsPerMinute: Int? = nil
  ) {
    self.name = name
    self.sha256 = sha256
    self.created = created
    self.isAdmin = isAdmin
    self.constraints = constraints
    self.budget = budget
    self.requestsPerMinute = requestsPerMinute
  }

  /// The key that the request came with which is being answered; nil where it had none, or one without a name
  /// (`server.api_keys`), whose holder is the operator.
  @TaskLocal package static var current: APIKey?

  /// Whether who asks sees and may do everything: an admin, or the operator.
  package static var currentIsAdmin: Bool { current?.isAdmin ?? true }

  /// Whether the holder sees the decisions of a key.
  package func sees(decisionsOf name: String?) -> Bool { isAdmin || self.name == name }

  /// A key that nobody can guess, and that people can tell for one of this server's.
  package static func random() -> String {
    var generator = SystemRandomNumberGenerator()
    let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    return "thal-"
      + Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
      .replacing("=", with: "")
  }

  /// Whether a key may be called so: the name is a file's and a metric's label.
  package static func isName(_ name: String) -> Bool {
    name.wholeMatch(of: /[a-z0-9][a-z0-9._-]{0,63}/) != nil
  }
}

// MARK: Its file

extension APIKey {
  private struct Card: Codable {
    var sha256: String
    var created: CalendarDate?
    var admin: Bool?
    var budgetUSD: Double?
    var budgetPeriod: Budget.Period?
    var requestsPerMinute: Int?
    var constraints: Constraints?

    enum CodingKeys: String, CodingKey, CaseIterable {
      case sha256, created, admin
      case budgetUSD = "budget_usd"
      case budgetPeriod = "budget_period"
      case requestsPerMinute = "requests_per_minute"
      case constraints
    }
  }

  /// Reads what a key's file says.
  ///
  /// - Parameter path: For errors.
  package static func parse(
    yaml: String, name: String, path: String
  ) throws(ConfigurationError) -> APIKey {
    func wrong(_ message: String) -> ConfigurationError {
      ConfigurationError(source: path, message: message)
    }
    guard isName(name) else {
      throw wrong("the file's name must be small letters, digits, '.', '_' and '-', and '.yaml'")
    }
    let card: Card
    do {
      guard case .mapping(let mapping)? = try Yams.compose(yaml: yaml) else {
        throw wrong("must hold keys such as sha256")
      }
      let known = Card.CodingKeys.allCases.map(\.rawValue)
      for (key, _) in mapping where !known.contains(key.string ?? "") {
        let nearest = (key.string ?? "").nearest(among: known)
        throw wrong(
          "unknown key '\(key.string ?? "?")'" + (nearest.map { "; did you mean '\($0)'?" } ?? ""))
      }
      card = try YAMLDecoder().decode(Card.self, from: yaml)
    } catch let error as ConfigurationError {
      throw error
    } catch let error as YamlError {
      throw wrong(error.shortDescription)
    } catch let error as RoutingError {
      throw wrong(error.description)
    } catch DecodingError.dataCorrupted(let context) where context.underlyingError is RoutingError {
      throw wrong("\(context.underlyingError!)")
    } catch let error as DecodingError {
      throw wrong(error.shortDescription)
    } catch {
      throw wrong("\(error)")
    }
    guard card.sha256.wholeMatch(of: /[0-9a-f]{64}/) != nil else {
      throw wrong("sha256 must be the key's SHA-256: 64 hexadecimal digits in small letters")
    }
    if let usd = card.budgetUSD, !(usd.isFinite && usd >= 0) {
      throw wrong("budget_usd must be dollars, 0 or more")
    }
    if card.budgetUSD == nil, card.budgetPeriod != nil {
      throw wrong("budget_period needs budget_usd")
    }
    if let rate = card.requestsPerMinute, !(1...1_000_000).contains(rate) {
      throw wrong("requests_per_minute must be from 1 to 1000000")
    }
    return APIKey(
      name: name, sha256: card.sha256, created: card.created, isAdmin: card.admin ?? false,
      constraints: card.constraints ?? Constraints(),
      budget: card.budgetUSD.map { Budget(usd: $0, period: card.budgetPeriod ?? .month) },
      requestsPerMinute: card.requestsPerMinute)
  }

  /// The text of its file.
  package func yaml() throws -> String {
    let card = Card(
      sha256: sha256, created: created, admin: isAdmin ? true : nil, budgetUSD: budget?.usd,
      budgetPeriod: budget?.period, requestsPerMinute: requestsPerMinute,
      constraints: constraints.isEmpty ? nil : constraints)
    return try YAMLEncoder().encode(card)
  }
}
