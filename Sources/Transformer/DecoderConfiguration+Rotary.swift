/// How fast each pair of a head's numbers is rotated.
extension DecoderConfiguration {
  /// GGUF's tensor of what each pair's frequency is divided by (Llama 3.1 and later).
  static let rotaryFactorsName = "rope_freqs.weight"
  /// The same, of LongRoPE, for contexts up to the trained length and beyond it.
  static let shortFactorsName = "rope_factors_short.weight"
  static let longFactorsName = "rope_factors_long.weight"

  /// What GGUF files have for the factor of pairs that are not rotated at all (Gemma 4).
  static let unrotated: Float = 1e30

  /// Numbers of a head that are rotated.
  var rotaryWidth: Int { rotatedDim ?? headDim }

  /// What each pair's frequency is divided by in layers of that rotation. // (rotaryWidth / 2)
  func frequencyFactors(_ rotary: Rotary) -> [Double] {
    guard rotary.isStretched else {
      return Array(repeating: 1, count: (rotary.headDim ?? rotaryWidth) / 2)
    }
    if let rotaryFactors { return rotaryFactors.map { $0 * rotaryScale } }
    return yarn?.frequencyFactors(rotatedDim: rotaryWidth, base: rotary.base)
      ?? llama3Scaling?.frequencyFactors(rotatedDim: rotaryWidth, base: rotary.base)
      ?? Array(repeating: rotaryScale, count: rotaryWidth / 2)
  }

  /// Factor on rotated numbers in layers of that rotation.
  func magnitude(_ rotary: Rotary) -> Double {
    rotary.isStretched ? yarn?.magnitude ?? rotaryMagnitude : 1
  }

  /// The configuration with the factors that the file lists, if it does.
  ///
  /// LongRoPE has two lists, and the reference takes the one or the other by how long a sequence has
  /// become. That would leave keys in the cache that were rotated by the other, so that here, as in
  /// llama.cpp, it goes by how long sequences may become.
  /// - Parameter contextLength: Positions that a sequence can have at most.
  func withRotaryFactors(
    _ loader: WeightLoader, contextLength: Int
  ) throws(ModelError) -> DecoderConfiguration {
    let name: String
    if let shortContextLength, loader.contains(Self.longFactorsName) {
      name = contextLength > shortContextLength ? Self.longFactorsName : Self.shortFactorsName
    } else if loader.contains(Self.rotaryFactorsName) {
      name = Self.rotaryFactorsName
    } else {
      return self
    }
    // One list can't say what holds for several rotations, nor what it means beside other scaling.
    guard rotaries.count(where: \.isStretched) == 1, yarn == nil, llama3Scaling == nil else {
      throw .unsupported(key: name, value: "present beside other rotary scaling")
    }
    let factors = try loader.floats(name, shape: [rotaryWidth / 2])
    for (index, factor) in factors.enumerated()
    where !(factor > 0 && factor <= 1e6 || factor == Self.unrotated) {
      throw .unreadableTensor(
        name, reason: "element \(index) is \(factor); expected above 0, at most 1000000")
    }
    var configuration = self
    configuration.rotaryFactors = factors.map { Double($0) }
    return configuration
  }
}
