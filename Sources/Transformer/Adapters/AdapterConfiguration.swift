import Foundation

/// What matters here of PEFT's `adapter_config.json`. A value of this type has passed its checks.
struct AdapterConfiguration {
  private let path: String
  private let file: File

  /// Largest rank that a module may have.
  static let largestRank = 1024
  private static let largestFileBytes = 4 << 20
  private static let largestPatternCount = 4096

  /// Reads and checks a file.
  init(path: String) throws(AdapterError) {
    self.path = path
    guard let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int else {
      throw .unreadable(path: path, reason: "is missing")
    }
    guard size <= Self.largestFileBytes else {
      throw .unreadable(path: path, reason: "\(size) bytes; at most \(Self.largestFileBytes)")
    }
    do {
      file = try JSONDecoder().decode(File.self, from: Data(contentsOf: URL(filePath: path)))
    } catch let error as DecodingError {
      throw .unreadable(path: path, reason: error.oneLine)
    } catch {
      throw .unreadable(path: path, reason: "\(error)")
    }
    try checkKind()
    try checkValues()
  }

  /// The rank of a module, by its full name (`model.layers.0.mlp.up_proj`).
  func rank(of module: String) throws(AdapterError) -> Int {
    try value(of: module, in: file.rankPattern, key: "rank_pattern") ?? file.rank
  }

  /// The factor on a module's product: alpha over its rank, or over the rank's root.
  func scale(of module: String) throws(AdapterError) -> Float {
    let rank = Double(try rank(of: module))
    let alpha = try value(of: module, in: file.alphaPattern, key: "alpha_pattern") ?? file.alpha
    return Float(alpha / (file.usesRootScale ? rank.squareRoot() : rank))
  }

  // MARK: - Checks

  /// Refuses all that would give other results than plain LoRA does.
  private func checkKind() throws(AdapterError) {
    guard file.kind?.uppercased() == "LORA" else {
      throw .unsupported(path: path, key: "peft_type", value: file.kind ?? "missing")
    }
    if let bias = file.bias, bias != "none" {
      throw .unsupported(path: path, key: "bias", value: bias)
    }
    if let found = file.unsupportedKeys.first {
      throw .unsupported(path: path, key: found.key, value: found.value)
    }
    if let initialisation = file.initialisation {
      // These take something away from the base's weights first.
      for name in ["pissa", "olora", "corda", "loftq", "lora_ga"]
      where initialisation.lowercased().hasPrefix(name) {
        throw .unsupported(path: path, key: "init_lora_weights", value: initialisation)
      }
    }
  }

  private func checkValues() throws(AdapterError) {
    try check(rank: file.rank, key: "r")
    try check(alpha: file.alpha, key: "lora_alpha")
    for (name, rank) in file.rankPattern { try check(rank: rank, key: "rank_pattern.\(name)") }
    for (name, alpha) in file.alphaPattern { try check(alpha: alpha, key: "alpha_pattern.\(name)") }
    for (key, patterns) in [
      ("rank_pattern", Array(file.rankPattern.keys)),
      ("alpha_pattern", Array(file.alphaPattern.keys)),
    ] {
      guard patterns.count <= Self.largestPatternCount else {
        throw .invalidValue(
          path: path, key: key, value: "\(patterns.count) entries",
          expected: "at most \(Self.largestPatternCount)")
      }
      for pattern in patterns where ModulePattern(pattern) == nil {
        throw .unsupported(path: path, key: key, value: pattern)
      }
    }
  }

  private func check(rank: Int, key: String) throws(AdapterError) {
    guard (1...Self.largestRank).contains(rank) else {
      throw .invalidValue(
        path: path, key: key, value: "\(rank)", expected: "1 to \(Self.largestRank)")
    }
  }

  private func check(alpha: Double, key: String) throws(AdapterError) {
    guard alpha.isFinite, abs(alpha) <= 1e6 else {
      throw .invalidValue(path: path, key: key, value: "\(alpha)", expected: "-1e6 to 1e6")
    }
  }

  private func value<Value: Equatable>(
    of module: String, in patterns: [String: Value], key: String
  ) throws(AdapterError) -> Value? {
    let found = patterns.filter { ModulePattern($0.key)?.matches(module) ?? false }
    guard let first = found.first else { return nil }
    // PEFT takes the first in the file's order, which a JSON object does not promise.
    guard found.allSatisfy({ $0.value == first.value }) else {
      throw .unsupported(path: path, key: key, value: "two different values for \(module)")
    }
    return first.value
  }
}

extension AdapterConfiguration {
  /// The file as it stands.
  private struct File: Decodable {
    let kind: String?
    let rank: Int
    let alpha: Double
    let usesRootScale: Bool
    let rankPattern: [String: Int]
    let alphaPattern: [String: Double]
    let bias: String?
    let initialisation: String?
    /// Keys that are set to something other than "no", with what they say.
    let unsupportedKeys: [(key: String, value: String)]

    enum CodingKeys: String, CodingKey, CaseIterable {
      case kind = "peft_type"
      case rank = "r"
      case alpha = "lora_alpha"
      case usesRootScale = "use_rslora"
      case rankPattern = "rank_pattern"
      case alphaPattern = "alpha_pattern"
      case bias
      case initialisation = "init_lora_weights"
      // What has to be off.
      case dora = "use_dora"
      case quantisationAware = "use_qalora"
      case loraBias = "lora_bias"
      case fanInFanOut = "fan_in_fan_out"
      case fullModules = "modules_to_save"
      case layerReplication = "layer_replication"
      case trainableTokens = "trainable_token_indices"
      case targetParameters = "target_parameters"
      case aLora = "alora_invocation_tokens"
      case arrow = "arrow_config"
      case blockDiagonal = "use_bdlora"
      case kasa = "kasa_config"
      case monteCarlo = "monteclora_config"

      static let off: [CodingKeys] = [
        .dora, .quantisationAware, .loraBias, .fanInFanOut, .fullModules, .layerReplication,
        .trainableTokens, .targetParameters, .aLora, .arrow, .blockDiagonal, .kasa, .monteCarlo,
      ]
    }

    init(from decoder: any Swift.Decoder) throws {
      let values = try decoder.container(keyedBy: CodingKeys.self)
      kind = try values.decodeIfPresent(String.self, forKey: .kind)
      rank = try values.decode(Int.self, forKey: .rank)
      alpha = try values.decode(Double.self, forKey: .alpha)
      usesRootScale = try values.decodeIfPresent(Bool.self, forKey: .usesRootScale) ?? false
      rankPattern = try values.decodeIfPresent([String: Int].self, forKey: .rankPattern) ?? [:]
      alphaPattern =
        try values.decodeIfPresent([String: Double].self, forKey: .alphaPattern) ?? [:]
      bias = try values.decodeIfPresent(String.self, forKey: .bias)
      // True, false, or a method's name.
      initialisation = try? values.decodeIfPresent(String.self, forKey: .initialisation)
      unsupportedKeys = try CodingKeys.off.compactMap { key in
        guard values.contains(key), try !values.decodeNil(forKey: key) else { return nil }
        if let flag = try? values.decode(Bool.self, forKey: key) {
          return flag ? (key.rawValue, "true") : nil
        }
        if let list = try? values.nestedUnkeyedContainer(forKey: key) {
          return list.isAtEnd ? nil : (key.rawValue, "not empty")
        }
        return (key.rawValue, "set")
      }
    }
  }
}

extension DecodingError {
  /// One line: which key, and what is wrong with it.
  var oneLine: String {
    switch self {
    case .keyNotFound(let key, _): "key \"\(key.stringValue)\" is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context),
      .dataCorrupted(let context):
      "\(context.codingPath.map(\.stringValue).joined(separator: ".")): \(context.debugDescription)"
    @unknown default: "\(self)"
    }
  }
}
