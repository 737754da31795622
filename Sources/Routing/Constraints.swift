/// Hard limits that no score can override. A nil limit limits nothing.
package struct Constraints: Equatable, Sendable {
  /// Most total parameters.
  package var maxParameters: Int?
  /// True: the prompt must not leave this machine.
  package var localOnly: Bool?
  /// Most US dollars for the prompt and the expected answer.
  package var maxCostUSD: Double?
  /// The release must lie after this day.
  package var releasedAfter: CalendarDate?
  /// The licences allowed (SPDX), in lower case.
  package var licenses: Set<String>?
  /// The experts allowed.
  package var experts: Set<String>?
  /// Shortest context length, in tokens.
  package var minContext: Int?
  /// Bounds of active over total parameters.
  package var minDensity: Double?
  package var maxDensity: Double?

  package init(
    maxParameters: Int? = nil, localOnly: Bool? = nil, maxCostUSD: Double? = nil,
    releasedAfter: CalendarDate? = nil, licenses: Set<String>? = nil,
    experts: Set<String>? = nil, minContext: Int? = nil, minDensity: Double? = nil,
    maxDensity: Double? = nil
  ) {
    self.maxParameters = maxParameters
    self.localOnly = localOnly
    self.maxCostUSD = maxCostUSD
    self.releasedAfter = releasedAfter
    self.licenses = licenses.map { Set($0.map { $0.lowercased() }) }
    self.experts = experts
    self.minContext = minContext
    self.minDensity = minDensity
    self.maxDensity = maxDensity
  }

  package var isEmpty: Bool { self == Constraints() }
}

extension Constraints: Codable {
  package enum CodingKeys: String, CodingKey, CaseIterable, Sendable, Codable {
    case maxParameters = "max_parameters"
    case localOnly = "local_only"
    case maxCostUSD = "max_cost_usd"
    case releasedAfter = "released_after"
    case licenses, experts
    case minContext = "min_context"
    case minDensity = "min_density"
    case maxDensity = "max_density"
  }

  package init(from decoder: any Decoder) throws {
    for key in try decoder.container(keyedBy: AnyKey.self).allKeys
    where CodingKeys(stringValue: key.stringValue) == nil {
      throw RoutingError.unknownKey(
        field: "constraints.\(key.stringValue)",
        suggestion: key.stringValue.nearest(among: CodingKeys.allCases.map(\.rawValue)))
    }
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      maxParameters: try values.decodeIfPresent(Int.self, forKey: .maxParameters),
      localOnly: try values.decodeIfPresent(Bool.self, forKey: .localOnly),
      maxCostUSD: try values.decodeIfPresent(Double.self, forKey: .maxCostUSD),
      releasedAfter: try values.decodeIfPresent(CalendarDate.self, forKey: .releasedAfter),
      licenses: try values.decodeIfPresent([String].self, forKey: .licenses).map(Set.init),
      experts: try values.decodeIfPresent([String].self, forKey: .experts).map(Set.init),
      minContext: try values.decodeIfPresent(Int.self, forKey: .minContext),
      minDensity: try values.decodeIfPresent(Double.self, forKey: .minDensity),
      maxDensity: try values.decodeIfPresent(Double.self, forKey: .maxDensity))
    try validate()
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeIfPresent(maxParameters, forKey: .maxParameters)
    try values.encodeIfPresent(localOnly, forKey: .localOnly)
    try values.encodeIfPresent(maxCostUSD, forKey: .maxCostUSD)
    try values.encodeIfPresent(releasedAfter, forKey: .releasedAfter)
    try values.encodeIfPresent(licenses?.sorted(), forKey: .licenses)
    try values.encodeIfPresent(experts?.sorted(), forKey: .experts)
    try values.encodeIfPresent(minContext, forKey: .minContext)
    try values.encodeIfPresent(minDensity, forKey: .minDensity)
    try values.encodeIfPresent(maxDensity, forKey: .maxDensity)
  }

  /// Checks every limit; the error names the key.
  package func validate() throws(RoutingError) {
    if let maxParameters, maxParameters <= 0 {
      throw .invalidValue(
        field: "constraints.max_parameters", value: "\(maxParameters)", expected: "a count above 0")
    }
    if let maxCostUSD, !(maxCostUSD.isFinite && maxCostUSD >= 0) {
      throw .invalidValue(
        field: "constraints.max_cost_usd", value: "\(maxCostUSD)",
        expected: "dollars, 0 or more")
    }
    if let minContext, minContext <= 0 {
      throw .invalidValue(
        field: "constraints.min_context", value: "\(minContext)", expected: "a count above 0")
    }
    for (key, set) in [("licenses", licenses), ("experts", experts)] {
      guard let set, set.isEmpty || set.count > 1000 else { continue }
      throw .invalidValue(
        field: "constraints.\(key)", value: "\(set.count) names", expected: "1 to 1000 names")
    }
    for (key, density) in [("min_density", minDensity), ("max_density", maxDensity)] {
      guard let density, !(density.isFinite && (0...1).contains(density)) else { continue }
      throw .invalidValue(
        field: "constraints.\(key)", value: "\(density)", expected: "a share from 0 to 1")
    }
  }
}

extension Constraints {
  /// Both limits at once: of each the stricter. Never allows an expert that either forbids.
  package func tightened(by other: Constraints) -> Constraints {
    func both<T>(_ a: T?, _ b: T?, _ stricter: (T, T) -> T) -> T? {
      guard let a else { return b }
      guard let b else { return a }
      return stricter(a, b)
    }
    return Constraints(
      maxParameters: both(maxParameters, other.maxParameters, min),
      localOnly: both(localOnly, other.localOnly) { $0 || $1 },
      maxCostUSD: both(maxCostUSD, other.maxCostUSD, min),
      releasedAfter: both(releasedAfter, other.releasedAfter, max),
      licenses: both(licenses, other.licenses) { $0.intersection($1) },
      experts: both(experts, other.experts) { $0.intersection($1) },
      minContext: both(minContext, other.minContext, max),
      minDensity: both(minDensity, other.minDensity, max),
      maxDensity: both(maxDensity, other.maxDensity, min))
  }

  /// This, with every limit that `other` states put in its place (looser or stricter).
  package func replaced(by other: Constraints) -> Constraints {
    Constraints(
      maxParameters: other.maxParameters ?? maxParameters,
      localOnly: other.localOnly ?? localOnly,
      maxCostUSD: other.maxCostUSD ?? maxCostUSD,
      releasedAfter: other.releasedAfter ?? releasedAfter,
      licenses: other.licenses ?? licenses,
      experts: other.experts ?? experts,
      minContext: other.minContext ?? minContext,
      minDensity: other.minDensity ?? minDensity,
      maxDensity: other.maxDensity ?? maxDensity)
  }

  /// The limits that are set, each as text.
  package var stated: [(key: CodingKeys, value: String)] {
    let all: [(CodingKeys, String?)] = [
      (.maxParameters, maxParameters.map { "\($0)" }), (.localOnly, localOnly.map { "\($0)" }),
      (.maxCostUSD, maxCostUSD.map { "\($0)" }), (.releasedAfter, releasedAfter?.description),
      (.licenses, licenses.map { $0.sorted().joined(separator: ",") }),
      (.experts, experts.map { $0.sorted().joined(separator: ",") }),
      (.minContext, minContext.map { "\($0)" }), (.minDensity, minDensity.map { "\($0)" }),
      (.maxDensity, maxDensity.map { "\($0)" }),
    ]
    return all.compactMap { key, value in value.map { (key, $0) } }
  }

  /// Why an expert may not answer, or nil where it may.
  package func objection(
    to candidate: Candidate, in context: GoalContext
  ) -> IneligibilityReason? {
    let card = candidate.card
    if let experts, !experts.contains(card.id) { return .notAmongNamedExperts }
    if context.imageCount > 0, !card.readsImages { return .readsNoImages }
    if localOnly == true, card.runs == .leavesMachine || card.effectiveSecurityLevel >= 1 {
      return .leavesMachine
    }
    if let maxParameters {
      guard let parameters = card.totalParameters ?? card.activeParameters else {
        return .unknown(constraint: .maxParameters)
      }
      if parameters > maxParameters {
        return .tooManyParameters(parameters, limit: maxParameters)
      }
    }
    if let maxCostUSD {
      let cost = candidate.expectedCostUSD(in: context)
      if cost > maxCostUSD { return .tooExpensive(usd: cost, limitUSD: maxCostUSD) }
    }
    if let budget = context.remainingBudget {
      let cost = candidate.expectedCostUSD(in: context)
      if cost > budget.usd { return .overBudget(usd: cost, remaining: budget) }
    }
    if let releasedAfter {
      guard let released = card.released else { return .unknown(constraint: .releasedAfter) }
      if released <= releasedAfter { return .releasedTooEarly(released, after: releasedAfter) }
    }
    if let licenses {
      guard let license = card.license else { return .unknown(constraint: .licenses) }
      if !licenses.contains(license.lowercased()) {
        return .licenseNotAllowed(license)
      }
    }
    if let minContext {
      guard let length = card.contextLength else { return .unknown(constraint: .minContext) }
      if length < minContext { return .contextTooShort(length, needed: minContext) }
    }
    if minDensity != nil || maxDensity != nil {
      guard let density = card.density else {
        return .unknown(constraint: minDensity != nil ? .minDensity : .maxDensity)
      }
      if let minDensity, density < minDensity { return .densityOutside(density) }
      if let maxDensity, density > maxDensity { return .densityOutside(density) }
    }
    // The prompt itself must fit, with room for one token of answer.
    if let length = card.contextLength, context.promptTokens >= length {
      return .contextTooShort(length, needed: context.promptTokens + 1)
    }
    return candidate.unavailable.map { .unavailable($0) }
  }
}
