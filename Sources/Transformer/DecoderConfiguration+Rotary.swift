/// How fast each pair of a head's numbers is rotated.
extension DecoderConfiguration {
  /// GGUF's tensor of what each pair's frequency is divided by (Llama 3.1 and later).
  static let rotaryFactorsName = "rope_freqs.weight"

  /// Numbers of a head that are rotated.
  var rotaryWidth: Int { rotatedDim ?? headDim }

  /// What each pair's frequency is divided by in layers of that base. // (rotaryWidth / 2)
  func frequencyFactors(base: Double) -> [Double] {
    if let rotaryFactors { return rotaryFactors.map { $0 * rotaryScale } }
    return yarn?.frequencyFactors(rotatedDim: rotaryWidth, base: base)
      ?? llama3Scaling?.frequencyFactors(rotatedDim: rotaryWidth, base: base)
      ?? Array(repeating: rotaryScale, count: rotaryWidth / 2)
  }

  /// The configuration with the factors that the file lists, if it does.
  func withRotaryFactors(_ loader: WeightLoader) throws(ModelError) -> DecoderConfiguration {
    let name = Self.rotaryFactorsName
    guard loader.contains(name) else { return self }
    // One list can't say what holds for several bases, nor what it means beside other scaling.
    guard rotaryBases.count == 1, yarn == nil, llama3Scaling == nil else {
      throw .unsupported(key: name, value: "present beside other rotary scaling")
    }
    let factors = try loader.floats(name, shape: [rotaryWidth / 2])
    for (index, factor) in factors.enumerated()
    where !(factor.isFinite && factor > 0 && factor <= 1e6) {
      throw .unreadableTensor(
        name, reason: "element \(index) is \(factor); expected above 0, at most 1000000")
    }
    var configuration = self
    configuration.rotaryFactors = factors.map { Double($0) }
    return configuration
  }
}
