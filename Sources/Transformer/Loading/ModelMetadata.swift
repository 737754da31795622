import ModelFiles

/// The key-value pairs that describe a model, wherever they come from. A missing key and a value
/// of another type both give nil.
package protocol ModelMetadata {
  func int(_ key: String) -> Int?
  func double(_ key: String) -> Double?
  func string(_ key: String) -> String?
  func bool(_ key: String) -> Bool?
  /// An array of truth values.
  func bools(_ key: String) -> [Bool]?
  /// An array of integers.
  func ints(_ key: String) -> [Int]?
  func contains(_ key: String) -> Bool
}

extension GGUFFile: ModelMetadata {
  package func bools(_ key: String) -> [Bool]? { array(key)?.bools }
  package func contains(_ key: String) -> Bool { metadata[key] != nil }
}

/// A model's metadata under the prefix of its architecture, with errors that name the whole key.
package struct ArchitectureMetadata {
  package let architecture: String
  private let metadata: any ModelMetadata

  package init(architecture: String, metadata: any ModelMetadata) {
    self.architecture = architecture
    self.metadata = metadata
  }

  /// The integer under `architecture.key`; throws if it is missing or no integer.
  package func int(_ key: String) throws(ModelError) -> Int {
    guard let value = try optionalInt(key) else { throw .missingKey(full(key)) }
    return value
  }

  /// The integer under `architecture.key`, nil if there is none; throws if it is no integer.
  package func optionalInt(_ key: String) throws(ModelError) -> Int? {
    guard metadata.contains(full(key)) else { return nil }
    guard let value = metadata.int(full(key)) else { throw wrongType(key, "an integer") }
    return value
  }

  /// The number under `architecture.key`; throws if it is missing or no number.
  package func double(_ key: String) throws(ModelError) -> Double {
    guard let value = try optionalDouble(key) else { throw .missingKey(full(key)) }
    return value
  }

  /// The number under `architecture.key`, nil if there is none; throws if it is no number.
  package func optionalDouble(_ key: String) throws(ModelError) -> Double? {
    guard metadata.contains(full(key)) else { return nil }
    guard let value = metadata.double(full(key)) else { throw wrongType(key, "a number") }
    return value
  }

  /// The text under `architecture.key`, nil if there is none; throws if it is no text.
  package func optionalString(_ key: String) throws(ModelError) -> String? {
    guard metadata.contains(full(key)) else { return nil }
    guard let value = metadata.string(full(key)) else { throw wrongType(key, "a string") }
    return value
  }

  /// The truth value under `architecture.key`, nil if there is none; throws if it is of another
  /// type.
  package func optionalBool(_ key: String) throws(ModelError) -> Bool? {
    guard metadata.contains(full(key)) else { return nil }
    guard let value = metadata.bool(full(key)) else { throw wrongType(key, "true or false") }
    return value
  }

  /// The integers under `architecture.key`, nil if there are none; throws if they are no list of integers.
  package func optionalInts(_ key: String) throws(ModelError) -> [Int]? {
    guard metadata.contains(full(key)) else { return nil }
    guard let list = metadata.ints(full(key)) else { throw wrongType(key, "integers") }
    return list
  }

  /// The truth values under `architecture.key`, nil if there are none; throws if they are no list of such.
  package func optionalBools(_ key: String) throws(ModelError) -> [Bool]? {
    guard metadata.contains(full(key)) else { return nil }
    guard let list = metadata.bools(full(key)) else { throw wrongType(key, "truth values") }
    return list
  }

  /// The integer of each of `count` layers under `architecture.key`: one for all, or a list.
  package func ints(_ key: String, layers count: Int) throws(ModelError) -> [Int] {
    guard let list = metadata.ints(full(key)) else {
      return Array(repeating: try int(key), count: count)
    }
    guard list.count >= count else {
      throw .invalidValue(
        key: full(key), value: "\(list.count) layers", expected: "\(count), one a layer")
    }
    return Array(list.prefix(count))
  }

  /// Which of `count` layers see a window only, nil if the file doesn't say. A number n stands for a model
  /// of whose layers every nth sees everything, a list says it of each.
  package func windowedLayers(count: Int) throws(ModelError) -> [Bool]? {
    let key = "attention.sliding_window_pattern"
    guard metadata.contains(full(key)) else { return nil }
    if let list = try layerFlags(key, count: count) { return list }
    let period = try int(key)
    guard period > 0 else {
      throw .invalidValue(key: full(key), value: "\(period)", expected: "1 or more")
    }
    return (0..<count).map { !($0 + 1).isMultiple(of: period) }
  }

  /// Which of `count` layers keep a state instead of keys and values, nil if the file doesn't say.
  package func recurrentLayers(count: Int) throws(ModelError) -> [Bool]? {
    let key = "attention.recurrent_layers"
    guard metadata.contains(full(key)) else { return nil }
    guard let list = try layerFlags(key, count: count) else {
      throw wrongType(key, "true or false a layer")
    }
    return list
  }

  /// The first `count` of a list of truth values, nil if the value is none.
  private func layerFlags(_ key: String, count: Int) throws(ModelError) -> [Bool]? {
    guard let list = metadata.bools(full(key)) else { return nil }
    guard list.count >= count else {
      throw .invalidValue(
        key: full(key), value: "\(list.count) layers", expected: "\(count), one a layer")
    }
    return Array(list.prefix(count))
  }

  /// The factor that positions are divided by: 1, or that of linear rotary scaling. Other kinds
  /// of scaling throw.
  package func rotaryScale() throws(ModelError) -> Double {
    let type = try optionalString("rope.scaling.type") ?? "none"
    switch type {
    // LongRoPE's factors are tensors.
    case "none", "default", "longrope": return 1
    case "linear": return try double("rope.scaling.factor")
    default: throw .unsupported(key: full("rope.scaling.type"), value: type)
    }
  }

  /// The rotary scaling of models that have none, linear, or Llama 3.1's.
  package func readRotaryScaling(
    into configuration: inout DecoderConfiguration
  ) throws(ModelError) {
    // GGUF files list what Llama 3.1's scaling comes to in a tensor; checkpoints say what it is.
    guard try optionalString("rope.scaling.type") == "llama3" else {
      configuration.rotaryScale = try rotaryScale()
      return
    }
    configuration.llama3Scaling = Llama3Scaling(
      factor: try double("rope.scaling.factor"),
      lowFrequencyFactor: try double("rope.scaling.low_freq_factor"),
      highFrequencyFactor: try double("rope.scaling.high_freq_factor"),
      originalContextLength: try int("rope.scaling.original_context_length"))
  }

  /// The same of models that may have YaRN too.
  /// - Parameter truncates: See `YaRNScaling.truncates`; GGUF files don't say, checkpoints do.
  package func readRotaryScaling(
    into configuration: inout DecoderConfiguration, truncates: Bool
  ) throws(ModelError) {
    guard try optionalString("rope.scaling.type") == "yarn" else {
      try readRotaryScaling(into: &configuration)
      return
    }
    var yarn = YaRNScaling(
      factor: try double("rope.scaling.factor"),
      originalContextLength: try int("rope.scaling.original_context_length"))
    yarn.truncates = try optionalBool("rope.scaling.yarn_truncate") ?? truncates
    if let beta = try optionalDouble("rope.scaling.yarn_beta_fast") { yarn.betaFast = beta }
    if let beta = try optionalDouble("rope.scaling.yarn_beta_slow") { yarn.betaSlow = beta }
    if let magnitude = try optionalDouble("rope.scaling.yarn_attn_factor") {
      yarn.magnitude = magnitude
    }
    if let factor = try optionalDouble("rope.scaling.yarn_ext_factor"), factor != 1 {
      throw .unsupported(key: full("rope.scaling.yarn_ext_factor"), value: "\(factor)")
    }
    configuration.yarn = yarn
  }

  private func full(_ key: String) -> String { "\(architecture).\(key)" }

  private func wrongType(_ key: String, _ expected: String) -> ModelError {
    .invalidValue(key: full(key), value: "of another type", expected: expected)
  }
}

extension ArchitectureMetadata {
  /// Throws if only a part of each head is rotated.
  package func requireFullRotation(headDim: Int) throws(ModelError) {
    if let dimensions = try optionalInt("rope.dimension_count"), dimensions != headDim {
      throw .unsupported(key: "\(architecture).rope.dimension_count", value: "\(dimensions)")
    }
  }
}
