/// Random numbers without a state: each is a function of a seed and three counters, so that it
/// doesn't matter which thread asks first, nor what else runs. The mixing function is
/// splitmix64's (Steele, Lea and Flood).
enum CounterGenerator {
  /// 64 bits for a seed and three counters.
  static func bits(_ first: UInt64, _ second: UInt64, _ third: UInt64, seed: UInt64) -> UInt64 {
    mix(third, mix(second, mix(first, mix(seed, 0))))
  }

  /// A number in [0, 1) with 24 bits, exact in a float.
  static func unit(_ first: UInt64, _ second: UInt64, _ third: UInt64, seed: UInt64) -> Float {
    Float(bits(first, second, third, seed: seed) >> 40) * 0x1p-24
  }

  static func mix(_ value: UInt64, _ state: UInt64) -> UInt64 {
    var z = (state ^ value) &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
