/// Small changes to a prompt that should not change where it goes.
package enum Perturbation: String, CaseIterable, Codable, Sendable {
  /// Neighbouring words change places.
  case swap
  /// Characters are left out.
  case delete
  /// Characters are doubled.
  case insert
  /// Letters become their neighbours on a keyboard.
  case typo
  /// The request is wrapped in a polite sentence.
  case template

  /// The changed text. `rate` is the share of words (swap) or characters that change.
  package func apply(to text: String, rate: Double = 0.05, seed: UInt64) -> String {
    var generator = SeededGenerator(seed: seed ^ StableHash.fnv1a(text))
    switch self {
    case .swap:
      var words = text.split(separator: " ", omittingEmptySubsequences: false)
      var index = 0
      while index + 1 < words.count {
        if generator.nextUnit() < rate {
          words.swapAt(index, index + 1)
          index += 1
        }
        index += 1
      }
      return words.joined(separator: " ")
    case .delete:
      return String(text.filter { _ in generator.nextUnit() >= rate })
    case .insert:
      return String(
        text.flatMap { generator.nextUnit() < rate ? [$0, $0] : [$0] })
    case .typo:
      return String(
        text.map { letter in
          guard generator.nextUnit() < rate, let near = Self.neighbours[letter], !near.isEmpty
          else { return letter }
          return near[generator.next(below: near.count)]
        })
    case .template:
      let forms: [(String, String)] = [
        ("Please help me with this: ", ""), ("", "\nThank you."), ("Hello! ", ""),
        ("I would like to know the following. ", ""), ("", " Please answer carefully."),
      ]
      let (before, after) = forms[generator.next(below: forms.count)]
      return before + text + after
    }
  }

  private static let neighbours: [Character: [Character]] = {
    var table: [Character: [Character]] = [:]
    for row in ["qwertyuiop", "asdfghjkl", "zxcvbnm"] {
      let keys = Array(row)
      for index in keys.indices {
        table[keys[index]] = [index - 1, index + 1].filter(keys.indices.contains).map { keys[$0] }
      }
    }
    return table
  }()
}

/// How often a router changes its mind.
package enum FlipRate {
  /// Share of pairs on which the expert with the smallest predicted loss differs.
  package static func measure(
    _ router: any LossPredictor, pairs: [(original: RouterInput, perturbed: RouterInput)]
  ) throws(RoutingError) -> Double {
    guard !pairs.isEmpty else {
      throw .notEnoughData(field: "pairs", needed: 1, found: 0)
    }
    var flips = 0
    for pair in pairs {
      let before = try choice(router, pair.original)
      if try choice(router, pair.perturbed) != before { flips += 1 }
    }
    return Double(flips) / Double(pairs.count)
  }

  private static func choice(
    _ router: any LossPredictor, _ input: RouterInput
  ) throws(RoutingError) -> String? {
    try router.predict(input).min {
      ($0.lossBitsPerByte, $0.expert) < ($1.lossBitsPerByte, $1.expert)
    }?.expert
  }
}
