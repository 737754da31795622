extension GateDescription: Codable {
  private enum Key: String, CodingKey, CaseIterable {
    case scores, probability, selection, weighting, scale, seed, smoothing
    case maximumK = "maximum_k"
    case sharedExperts = "shared_experts"
    case bypassExpert = "bypass_expert"
  }

  package init(from decoder: any Swift.Decoder) throws {
    let values = try decoder.strictContainer(Key.self)
    try self.init(
      scores: values.decodeIfPresent(ScoreKind.self, forKey: .scores) ?? .linear,
      probability: values.decodeIfPresent(Gate.Probability.self, forKey: .probability) ?? .softmax,
      selection: values.decode(Gate.Selection.self, forKey: .selection),
      weighting: values.decodeIfPresent(Gate.Weighting.self, forKey: .weighting) ?? .raw,
      scale: values.decodeIfPresent(Float.self, forKey: .scale) ?? 1,
      seed: values.decodeIfPresent(UInt64.self, forKey: .seed) ?? 0,
      maximumK: values.decodeIfPresent(Int.self, forKey: .maximumK),
      sharedExperts: values.decodeIfPresent(Int.self, forKey: .sharedExperts) ?? 0,
      hasBypassExpert: values.decodeIfPresent(Bool.self, forKey: .bypassExpert) ?? false,
      smoothing: values.decodeIfPresent(GateSmoothing.self, forKey: .smoothing))
  }

  package func encode(to encoder: any Swift.Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    try values.encode(scores, forKey: .scores)
    try values.encode(probability, forKey: .probability)
    try values.encode(selection, forKey: .selection)
    try values.encode(weighting, forKey: .weighting)
    if scale != 1 { try values.encode(scale, forKey: .scale) }
    if scores == .fixedRandom { try values.encode(seed, forKey: .seed) }
    try values.encodeIfPresent(maximumK, forKey: .maximumK)
    if sharedExperts != 0 { try values.encode(sharedExperts, forKey: .sharedExperts) }
    if hasBypassExpert { try values.encode(true, forKey: .bypassExpert) }
    try values.encodeIfPresent(smoothing, forKey: .smoothing)
  }
}

extension Gate.Selection: Codable {
  private enum Kind: String, Codable, CaseIterable {
    case topK = "top_k"
    case groupLimitedTopK = "group_limited_top_k"
    case topP = "top_p"
    case entropySwitch = "entropy_switch"
    case all
  }

  private enum Key: String, CodingKey, CaseIterable {
    case kind, k, groups, threshold, index, epsilon
    case keptGroups = "kept_groups"
    case groupScore = "group_score"
    case includesCrossing = "includes_crossing"
    case atLeast = "at_least"
    case entropyThreshold = "entropy_threshold"
    case topP = "top_p"
  }

  package init(from decoder: any Swift.Decoder) throws {
    let kind = try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .kind)
    let values = try decoder.strictContainer(Self.keys(of: kind) + [Key.kind])
    switch kind {
    case .topK: self = .topK(try values.decode(Int.self, forKey: .k))
    case .groupLimitedTopK:
      self = .groupLimitedTopK(
        k: try values.decode(Int.self, forKey: .k),
        groups: try values.decode(Int.self, forKey: .groups),
        keptGroups: try values.decode(Int.self, forKey: .keptGroups),
        groupScore: try values.decode(Gate.GroupScore.self, forKey: .groupScore))
    case .topP:
      self = .topP(
        threshold: try values.decode(Float.self, forKey: .threshold),
        includesCrossing: try values.decode(Bool.self, forKey: .includesCrossing),
        atLeast: try values.decodeIfPresent(Int.self, forKey: .atLeast) ?? 1)
    case .entropySwitch:
      let usual = Gate.EntropySwitch()
      self = .entropySwitch(
        Gate.EntropySwitch(
          entropyThreshold: try values.decodeIfPresent(Float.self, forKey: .entropyThreshold)
            ?? usual.entropyThreshold,
          index: try values.decodeIfPresent(Float.self, forKey: .index) ?? usual.index,
          epsilon: try values.decodeIfPresent(Float.self, forKey: .epsilon) ?? usual.epsilon,
          topP: try values.decodeIfPresent(Float.self, forKey: .topP) ?? usual.topP,
          atLeast: try values.decodeIfPresent(Int.self, forKey: .atLeast) ?? usual.atLeast))
    case .all: self = .all
    }
  }

  /// What each kind has besides: a key of another would be passed over.
  private static func keys(of kind: Kind) -> [Key] {
    switch kind {
    case .topK: [.k]
    case .groupLimitedTopK: [.k, .groups, .keptGroups, .groupScore]
    case .topP: [.threshold, .includesCrossing, .atLeast]
    case .entropySwitch: [.entropyThreshold, .index, .epsilon, .topP, .atLeast]
    case .all: []
    }
  }

  package func encode(to encoder: any Swift.Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    switch self {
    case .topK(let k):
      try values.encode(Kind.topK, forKey: .kind)
      try values.encode(k, forKey: .k)
    case .groupLimitedTopK(let k, let groups, let keptGroups, let groupScore):
      try values.encode(Kind.groupLimitedTopK, forKey: .kind)
      try values.encode(k, forKey: .k)
      try values.encode(groups, forKey: .groups)
      try values.encode(keptGroups, forKey: .keptGroups)
      try values.encode(groupScore, forKey: .groupScore)
    case .topP(let threshold, let includesCrossing, let atLeast):
      try values.encode(Kind.topP, forKey: .kind)
      try values.encode(threshold, forKey: .threshold)
      try values.encode(includesCrossing, forKey: .includesCrossing)
      try values.encode(atLeast, forKey: .atLeast)
    case .entropySwitch(let entropySwitch):
      try values.encode(Kind.entropySwitch, forKey: .kind)
      try values.encode(entropySwitch.entropyThreshold, forKey: .entropyThreshold)
      try values.encode(entropySwitch.index, forKey: .index)
      try values.encode(entropySwitch.epsilon, forKey: .epsilon)
      try values.encode(entropySwitch.topP, forKey: .topP)
      try values.encode(entropySwitch.atLeast, forKey: .atLeast)
    case .all: try values.encode(Kind.all, forKey: .kind)
    }
  }
}

extension GateSmoothing: Codable {
  private enum Kind: String, Codable {
    case cosine, dot, attention
  }

  private enum Key: String, CodingKey, CaseIterable {
    case mix, similarity, temperature, factor
  }

  package init(from decoder: any Swift.Decoder) throws {
    let kind = try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .similarity)
    let own: [Key] =
      switch kind {
      case .cosine: [.temperature]
      case .dot: [.factor]
      case .attention: []
      }
    let values = try decoder.strictContainer([.mix, .similarity] + own)
    let similarity: Similarity =
      switch kind {
      case .cosine: .cosine(temperature: try values.decode(Float.self, forKey: .temperature))
      case .dot: .dot(factor: try values.decode(Float.self, forKey: .factor))
      case .attention: .attention
      }
    self.init(mix: try values.decode(Float.self, forKey: .mix), similarity: similarity)
  }

  package func encode(to encoder: any Swift.Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    try values.encode(mix, forKey: .mix)
    switch similarity {
    case .cosine(let temperature):
      try values.encode(Kind.cosine, forKey: .similarity)
      try values.encode(temperature, forKey: .temperature)
    case .dot(let factor):
      try values.encode(Kind.dot, forKey: .similarity)
      try values.encode(factor, forKey: .factor)
    case .attention: try values.encode(Kind.attention, forKey: .similarity)
    }
  }
}

/// Any key at all, to see which there are.
private struct AnyKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }

  init?(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension Swift.Decoder {
  /// A container in which a key that `Key` doesn't have is an error: a misspelt one would silently
  /// be its default.
  fileprivate func strictContainer<Key: CodingKey & CaseIterable>(
    _ type: Key.Type
  ) throws -> KeyedDecodingContainer<Key> {
    try strictContainer(Array(type.allCases))
  }

  /// The same, for some of the keys.
  fileprivate func strictContainer<Key: CodingKey>(
    _ keys: [Key]
  ) throws -> KeyedDecodingContainer<Key> {
    let known = Set(keys.map(\.stringValue))
    for key in try container(keyedBy: AnyKey.self).allKeys
    where !known.contains(key.stringValue) {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: codingPath + [key],
          debugDescription: "unknown key \"\(key.stringValue)\"; known: "
            + known.sorted().joined(separator: ", ")))
    }
    return try container(keyedBy: Key.self)
  }
}
