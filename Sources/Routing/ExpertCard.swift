import Foundation

/// What is known of an expert before it runs.
///
/// Decoded from `models/<expert>/expert.yaml` (keys in snake_case). Keys that are not the card's
/// own are left to the room that reads the file; ``validate()`` checks the values.
package struct ExpertCard: Codable, Equatable, Sendable, Identifiable {
  /// How an expert is run.
  package enum Kind: String, Codable, CaseIterable, Sendable {
    /// A decoder in this process.
    case local
    /// A decoder in this process with one or more LoRA adapters on it.
    case localAdapters = "local_adapters"
    /// An OpenAI-compatible endpoint.
    case remote

    package init(from decoder: any Decoder) throws {
      self = try Self.named(decoder)
    }
  }

  /// Where the prompt goes when this expert answers.
  package enum Location: String, Codable, CaseIterable, Sendable {
    case inProcess = "in_process"
    case thisMachine = "this_machine"
    case leavesMachine = "leaves_machine"

    /// The raw security cost: 0 stays in this process, 1 leaves the machine.
    package var securityLevel: Double {
      switch self {
      case .inProcess: 0
      case .thisMachine: 0.25
      case .leavesMachine: 1
      }
    }

    package init(from decoder: any Decoder) throws {
      self = try Self.named(decoder)
    }
  }

  package var id: String
  package var name: String
  package var description: String?
  package var kind: Kind
  package var totalParameters: Int?
  package var activeParameters: Int?
  package var released: CalendarDate?
  /// SPDX identifier, or the name of custom terms.
  package var license: String?
  /// Where it was fetched from, for people.
  package var source: String?
  package var domains: [String]
  package var contextLength: Int?
  package var runs: Location
  /// Whether it reads images beside text.
  package var readsImages: Bool
  /// Overrides the level that follows from ``runs``, in 0...1.
  package var securityLevel: Double?
  package var promptPriceUSDPerMillionTokens: Double
  package var completionPriceUSDPerMillionTokens: Double
  /// Used until the expert has been measured.
  package var firstTokenMilliseconds: Double?
  package var perTokenMilliseconds: Double?
  package var meanOutputTokens: Double?
  /// Flesch reading ease of its answers, 0 (hard) to 100 (easy).
  package var readingEase: Double?
  /// Loss to be expected of it on a prompt, over the least that the router predicts of any expert: below 1 is better
  /// than the best of them. Counts for an expert that the router was not trained on.
  package var expectedLossRatio: Double?

  package init(
    id: String, name: String? = nil, description: String? = nil, kind: Kind = .local,
    totalParameters: Int? = nil, activeParameters: Int? = nil, released: CalendarDate? = nil,
    license: String? = nil, source: String? = nil, domains: [String] = [],
    contextLength: Int? = nil, readsImages: Bool = false, runs: Location? = nil,
    securityLevel: Double? = nil,
    promptPriceUSDPerMillionTokens: Double = 0, completionPriceUSDPerMillionTokens: Double = 0,
    firstTokenMilliseconds: Double? = nil, perTokenMilliseconds: Double? = nil,
    meanOutputTokens: Double? = nil, readingEase: Double? = nil, expectedLossRatio: Double? = nil
  ) {
    self.id = id
    self.name = name ?? id
    self.description = description
    self.kind = kind
    self.totalParameters = totalParameters
    self.activeParameters = activeParameters ?? totalParameters
    self.released = released
    self.license = license
    self.source = source
    self.domains = domains
    self.contextLength = contextLength
    self.readsImages = readsImages
    self.runs = runs ?? (kind == .remote ? .leavesMachine : .inProcess)
    self.securityLevel = securityLevel
    self.promptPriceUSDPerMillionTokens = promptPriceUSDPerMillionTokens
    self.completionPriceUSDPerMillionTokens = completionPriceUSDPerMillionTokens
    self.firstTokenMilliseconds = firstTokenMilliseconds
    self.perTokenMilliseconds = perTokenMilliseconds
    self.meanOutputTokens = meanOutputTokens
    self.readingEase = readingEase
    self.expectedLossRatio = expectedLossRatio
  }

  /// Active over total parameters, k/E of a mixture of experts; 1 for a dense model.
  package var density: Double? {
    guard let totalParameters, let activeParameters, totalParameters > 0 else { return nil }
    return Double(activeParameters) / Double(totalParameters)
  }

  /// US dollars for so many tokens; nil where the expert has no price.
  package func costUSD(promptTokens: Int, completionTokens: Int) -> Double? {
    guard promptPriceUSDPerMillionTokens > 0 || completionPriceUSDPerMillionTokens > 0 else {
      return nil
    }
    return
      (Double(promptTokens) * promptPriceUSDPerMillionTokens
      + Double(completionTokens) * completionPriceUSDPerMillionTokens) / 1e6
  }

  /// The level that the security goal and `local_only` look at.
  package var effectiveSecurityLevel: Double { securityLevel ?? runs.securityLevel }
}

extension ExpertCard {
  package enum CodingKeys: String, CodingKey, CaseIterable {
    case id, name, description, kind, released, license, source, domains, runs
    case totalParameters = "total_parameters"
    case activeParameters = "active_parameters"
    case contextLength = "context_length"
    case readsImages = "reads_images"
    case securityLevel = "security_level"
    case promptPriceUSDPerMillionTokens = "prompt_price_usd_per_million_tokens"
    case completionPriceUSDPerMillionTokens = "completion_price_usd_per_million_tokens"
    case firstTokenMilliseconds = "first_token_milliseconds"
    case perTokenMilliseconds = "per_token_milliseconds"
    case meanOutputTokens = "mean_output_tokens"
    case readingEase = "reading_ease"
    case expectedLossRatio = "expected_loss_ratio"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      id: try values.decode(String.self, forKey: .id),
      name: try values.decodeIfPresent(String.self, forKey: .name),
      description: try values.decodeIfPresent(String.self, forKey: .description),
      kind: try values.decodeIfPresent(Kind.self, forKey: .kind) ?? .local,
      totalParameters: try values.decodeIfPresent(Int.self, forKey: .totalParameters),
      activeParameters: try values.decodeIfPresent(Int.self, forKey: .activeParameters),
      released: try values.decodeIfPresent(CalendarDate.self, forKey: .released),
      license: try values.decodeIfPresent(String.self, forKey: .license),
      source: try values.decodeIfPresent(String.self, forKey: .source),
      domains: try values.decodeIfPresent([String].self, forKey: .domains) ?? [],
      contextLength: try values.decodeIfPresent(Int.self, forKey: .contextLength),
      readsImages: try values.decodeIfPresent(Bool.self, forKey: .readsImages) ?? false,
      runs: try values.decodeIfPresent(Location.self, forKey: .runs),
      securityLevel: try values.decodeIfPresent(Double.self, forKey: .securityLevel),
      promptPriceUSDPerMillionTokens: try values.decodeIfPresent(
        Double.self, forKey: .promptPriceUSDPerMillionTokens) ?? 0,
      completionPriceUSDPerMillionTokens: try values.decodeIfPresent(
        Double.self, forKey: .completionPriceUSDPerMillionTokens) ?? 0,
      firstTokenMilliseconds: try values.decodeIfPresent(
        Double.self, forKey: .firstTokenMilliseconds),
      perTokenMilliseconds: try values.decodeIfPresent(Double.self, forKey: .perTokenMilliseconds),
      meanOutputTokens: try values.decodeIfPresent(Double.self, forKey: .meanOutputTokens),
      readingEase: try values.decodeIfPresent(Double.self, forKey: .readingEase),
      expectedLossRatio: try values.decodeIfPresent(Double.self, forKey: .expectedLossRatio))
  }
}

extension ExpertCard {
  /// Checks every value; the error names the key.
  package func validate() throws(RoutingError) {
    let idIsPlain = id.utf8.allSatisfy {
      (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
        || [45, 46, 95].contains($0)
    }
    guard idIsPlain, (1...100).contains(id.utf8.count), id.utf8.first != 46 else {
      throw .invalidValue(
        field: "id", value: id,
        expected: "1 to 100 letters, digits, '-', '_' or '.', not starting with '.'")
    }
    guard id != "auto" else {
      throw .invalidValue(field: "id", value: id, expected: "a name; \"auto\" means the router")
    }
    try check("total_parameters", totalParameters.map(Double.init), 1...1e15)
    try check("active_parameters", activeParameters.map(Double.init), 1...1e15)
    if let totalParameters, let activeParameters, activeParameters > totalParameters {
      throw .invalidValue(
        field: "active_parameters", value: "\(activeParameters)",
        expected: "at most total_parameters, \(totalParameters)")
    }
    try check("context_length", contextLength.map(Double.init), 1...1e9)
    try check("security_level", securityLevel, 0...1)
    try check(
      "prompt_price_usd_per_million_tokens", promptPriceUSDPerMillionTokens, 0...1e6)
    try check(
      "completion_price_usd_per_million_tokens", completionPriceUSDPerMillionTokens, 0...1e6)
    try check("first_token_milliseconds", firstTokenMilliseconds, 0...1e9)
    try check("per_token_milliseconds", perTokenMilliseconds, 0...1e9)
    try check("mean_output_tokens", meanOutputTokens, 0...1e9)
    try check("reading_ease", readingEase, 0...100)
    try check("expected_loss_ratio", expectedLossRatio, 0.01...100)
    if kind == .remote && runs == .inProcess {
      throw .invalidValue(
        field: "runs", value: runs.rawValue, expected: "this_machine or leaves_machine for a remote"
      )
    }
    if kind != .remote && runs == .leavesMachine {
      throw .invalidValue(
        field: "runs", value: runs.rawValue, expected: "in_process or this_machine for a local one")
    }
  }

  private func check(
    _ field: String, _ value: Double?, _ range: ClosedRange<Double>
  ) throws(RoutingError) {
    guard let value else { return }
    guard value.isFinite, range.contains(value) else {
      throw .invalidValue(
        field: field, value: "\(value)",
        expected: "a number from \(range.lowerBound) to \(range.upperBound)")
    }
  }
}

extension RawRepresentable where Self: CaseIterable, RawValue == String {
  /// The case that a card names; the error has all names that there are.
  fileprivate static func named(_ decoder: any Decoder) throws -> Self {
    let name = try decoder.singleValueContainer().decode(String.self)
    if let found = Self(rawValue: name) { return found }
    let names = allCases.map(\.rawValue).joined(separator: ", ")
    throw DecodingError.dataCorrupted(
      .init(codingPath: decoder.codingPath, debugDescription: "'\(name)' is none of \(names)"))
  }
}
