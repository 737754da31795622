import Foundation

/// What can be wrong with a card, a request's flags or constraints, or a router file.
///
/// Every case names the field and the value, so that the message can be shown to a caller as is.
package enum RoutingError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A field's value lies outside what is allowed.
  case invalidValue(field: String, value: String, expected: String)
  /// A key that does not exist, with the nearest one that does.
  case unknownKey(field: String, suggestion: String?)
  /// No expert satisfies every constraint. At the HTTP edge: 422.
  case noEligibleExpert([ExpertIneligibility])
  /// An expert that the caller named is not in the library.
  case unknownExpert(String)
  /// A strategy name that is not registered.
  case unknownStrategy(String)
  /// A vector has another length than the router was trained on.
  case wrongDimension(field: String, expected: Int, found: Int)
  /// There is too little data to train or to evaluate on.
  case notEnoughData(field: String, needed: Int, found: Int)
  /// A router file is damaged or does not fit its manifest.
  case damagedRouter(field: String, problem: String)
  /// A linear system could not be solved.
  case numericalFailure(field: String)

  package var description: String {
    switch self {
    case .invalidValue(let field, let value, let expected):
      "\(field): \(value.shortened) is not allowed; expected \(expected)"
    case .unknownKey(let field, let suggestion):
      "unknown key \(field.shortened)" + (suggestion.map { "; did you mean \($0)?" } ?? "")
    case .noEligibleExpert(let reasons): Self.describe(reasons)
    case .unknownExpert(let id): "unknown expert \(id.shortened)"
    case .unknownStrategy(let name):
      "unknown strategy \(name.shortened); known: "
        + RoutingStrategy.knownNames.joined(separator: ", ")
    case .wrongDimension(let field, let expected, let found):
      "\(field): \(found) numbers where the router expects \(expected)"
    case .notEnoughData(let field, let needed, let found):
      "\(field): \(found) where at least \(needed) are needed"
    case .damagedRouter(let field, let problem): "router file: \(field): \(problem)"
    case .numericalFailure(let field): "\(field): the linear system could not be solved"
    }
  }
}

extension RoutingError {
  /// Where a request names its experts, why the others may not answer tells nothing.
  private static func describe(_ reasons: [ExpertIneligibility]) -> String {
    if reasons.isEmpty { return "no expert satisfies the constraints: the library is empty" }
    let named = reasons.filter { $0.reason != .notAmongNamedExperts }
    if named.isEmpty {
      return
        "no expert satisfies the constraints: none is both the one that was asked for and among "
        + "those that 'experts' names"
    }
    // Of one that the caller named there is only this to say.
    if reasons.count > 1, named.count == 1, let only = named.first {
      return "\(only.expert) can't answer: \(only.reason.message)"
    }
    return "no expert satisfies the constraints: "
      + named.map { "\($0.expert): \($0.reason.message)" }.joined(separator: "; ")
  }
}

extension RoutingError: LocalizedError {
  package var errorDescription: String? { description }
}

/// One expert and why it may not answer this request.
package struct ExpertIneligibility: Equatable, Sendable, Codable {
  package var expert: String
  package var reason: IneligibilityReason

  package init(expert: String, reason: IneligibilityReason) {
    self.expert = expert
    self.reason = reason
  }
}

extension String {
  /// The text in quotes, cut so that a message never carries a caller's whole body back.
  var shortened: String {
    count <= 80 ? "\"\(self)\"" : "\"\(prefix(77))...\""
  }
}
