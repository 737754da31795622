/// Why an expert may not answer a request.
package enum IneligibilityReason: Equatable, Sendable {
  case notAmongNamedExperts
  /// The prompt shows some.
  case readsNoImages
  case leavesMachine
  case tooManyParameters(Int, limit: Int)
  case tooExpensive(usd: Double, limitUSD: Double)
  /// What the answer is expected to cost is no longer there.
  case overBudget(usd: Double, remaining: RemainingBudget)
  case releasedTooEarly(CalendarDate, after: CalendarDate)
  case licenseNotAllowed(String)
  case contextTooShort(Int, needed: Int)
  case densityOutside(Double)
  /// The card does not say what the constraint asks for; unknown never counts as allowed.
  case unknown(constraint: Constraints.CodingKeys)
  case unavailable(String)
  /// The router was not trained on this expert, and its card says nothing of what to expect.
  case noPrediction
  /// A reason read back from a log, of which only code and message are kept.
  case recorded(code: String, message: String)

  /// A stable word for programs.
  package var code: String {
    switch self {
    case .notAmongNamedExperts: "experts"
    case .readsNoImages: "images"
    case .leavesMachine: "local_only"
    case .tooManyParameters: "max_parameters"
    case .tooExpensive: "max_cost_usd"
    case .overBudget: "budget"
    case .releasedTooEarly: "released_after"
    case .licenseNotAllowed: "licenses"
    case .contextTooShort: "context"
    case .densityOutside: "density"
    case .unknown(let constraint): constraint.rawValue
    case .unavailable: "unavailable"
    case .noPrediction: "no_prediction"
    case .recorded(let code, _): code
    }
  }

  /// A sentence for people.
  package var message: String {
    switch self {
    case .notAmongNamedExperts: "not among the experts that were named"
    case .readsNoImages: "it reads no images"
    case .leavesMachine: "the prompt would leave this machine"
    case .tooManyParameters(let count, let limit): "\(count) parameters, at most \(limit) allowed"
    case .tooExpensive(let usd, let limit): "costs about $\(usd), at most $\(limit) allowed"
    case .overBudget(let usd, let remaining):
      "costs about $\(usd), and $\(remaining.usd) are left of the budget (\(remaining.of))"
    case .releasedTooEarly(let date, let after): "released \(date), must be after \(after)"
    case .licenseNotAllowed(let license): "licence \(license) is not among those allowed"
    case .contextTooShort(let length, let needed): "context of \(length) tokens, needs \(needed)"
    case .densityOutside(let density): "density \(density) is outside the bounds"
    case .unknown(let constraint): "its card does not tell what \(constraint.rawValue) asks for"
    case .unavailable(let why): why
    case .noPrediction:
      "the router was not trained on this expert, and its card has no expected_loss_ratio"
    case .recorded(_, let message): message
    }
  }
}

extension IneligibilityReason: Codable {
  private enum CodingKeys: String, CodingKey { case code, message }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self = .recorded(
      code: try values.decode(String.self, forKey: .code),
      message: try values.decode(String.self, forKey: .message))
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(code, forKey: .code)
    try values.encode(message, forKey: .message)
  }
}
