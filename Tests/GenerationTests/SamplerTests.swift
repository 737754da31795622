import Foundation
import Generation
import Testing

@Suite struct SamplerTests {
  private func next(
    _ logits: [Float], _ sampler: inout Sampler, tokens: [Int32] = [], promptCount: Int = 0
  ) -> (token: Int32, logprob: ChosenLogprob?) {
    var copy = logits
    return copy.withUnsafeMutableBufferPointer {
      sampler.next(logits: $0, tokens: tokens, promptCount: promptCount)
    }
  }

  /// How often each token comes in so many draws.
  private func frequencies(
    _ logits: [Float], draws: Int = 4000, _ change: (inout SamplingParameters) -> Void
  ) -> [Double] {
    var parameters = SamplingParameters(temperature: 1, seed: 11)
    change(&parameters)
    var sampler = Sampler(parameters: parameters)
    var counts = Array(repeating: 0.0, count: logits.count)
    for _ in 0..<draws { counts[Int(next(logits, &sampler).token)] += 1 }
    return counts.map { $0 / Double(draws) }
  }

  @Test func temperatureZeroTakesTheFirstOfTheLargest() {
    var sampler = Sampler(parameters: SamplingParameters())
    #expect(next([1, 5, 5, -2], &sampler).token == 1)
    var long = Array(repeating: Float(0), count: 1000)
    long[777] = 1
    #expect(next(long, &sampler).token == 777)
    #expect(next([.nan, 3, .nan], &sampler).token == 1)
    #expect(next([.nan], &sampler).token == 0)
  }

  @Test func drawsFollowTheSoftmax() {
    let found = frequencies([0, 1, 2]) { _ in }
    let weights = [1, M_E, M_E * M_E]
    let total = weights.reduce(0, +)
    for (frequency, weight) in zip(found, weights) {
      #expect(abs(frequency - weight / total) < 0.03)
    }
    let cold = frequencies([0, 1, 2]) { $0.temperature = 0.05 }
    #expect(cold[2] > 0.999)
  }

  @Test func topK() {
    let found = frequencies([0, 3, 1, 2]) { $0.topK = 2 }
    #expect(found[0] == 0 && found[2] == 0 && found[1] > 0 && found[3] > 0)
  }

  @Test func topP() {
    // Probabilities 0.64, 0.24, 0.09, 0.03.
    let found = frequencies([3, 2, 1, 0]) { $0.topP = 0.7 }
    #expect(found[0] > 0 && found[1] > 0 && found[2] == 0 && found[3] == 0)
    #expect(frequencies([3, 2, 1, 0]) { $0.topP = 0.0001 }[0] == 1)
  }

  @Test func minP() {
    // Shares of the largest: 1, 0.37, 0.14, 0.05.
    let found = frequencies([3, 2, 1, 0]) { $0.minP = 0.2 }
    #expect(found[0] > 0 && found[1] > 0 && found[2] == 0 && found[3] == 0)
  }

  /// The tokens that may come, by sorting the whole vocabulary, step by step as the steps say.
  private func allowed(_ logits: [Float], _ parameters: SamplingParameters) -> Set<Int> {
    let scaled = logits.map { Double($0) / Double(parameters.temperature) }
    let largest = scaled.max() ?? 0
    var kept = scaled.indices.sorted {
      scaled[$0] != scaled[$1] ? scaled[$0] > scaled[$1] : $0 < $1
    }
    if parameters.topK > 0 { kept = Array(kept.prefix(parameters.topK)) }
    let weights = kept.map { exp(scaled[$0] - largest) }
    let wanted = Double(parameters.topP) * weights.reduce(0, +)
    var sum = 0.0
    var count = 0
    for weight in weights where sum < wanted {
      sum += weight
      count += 1
    }
    if parameters.topP < 1 { kept = Array(kept.prefix(max(1, count))) }
    return Set(kept.filter { exp(scaled[$0] - largest) >= Double(parameters.minP) })
  }

  @Test(arguments: [0, 5, 300], [1, 0.95, 0.3] as [Float])
  func whatMayComeIsWhatTheStepsKeep(topK: Int, topP: Float) {
    var generator = SeededGenerator(seed: 3)
    for minP in [0, 0.02, 0.3] as [Float] {
      for temperature in [0.2, 1, 3] as [Float] {
        let logits = (0..<2000).map { _ in Float(generator.nextUnit() * generator.nextUnit()) * 12 }
        var parameters = SamplingParameters(temperature: temperature, seed: 5)
        parameters.topK = topK
        parameters.topP = topP
        parameters.minP = minP
        let allowed = allowed(logits, parameters)
        var sampler = Sampler(parameters: parameters)
        var found: Set<Int> = []
        for _ in 0..<400 { found.insert(Int(next(logits, &sampler).token)) }
        #expect(found.isSubset(of: allowed), "\(topK) \(topP) \(minP) \(temperature)")
        if allowed.count < 6, minP > 0.1 {
          #expect(found == allowed, "\(topK) \(topP) \(minP) \(temperature)")
        }
      }
    }
  }

  /// Over several runs of the sum, with a rest.
  @Test func drawsReachTheWholeVocabulary() {
    var logits = Array(repeating: Float(1), count: 1300)
    logits[700] = -.infinity
    logits[1299] = 1 + Float(log(100.0))
    let found = frequencies(logits, draws: 14_000) { _ in }
    // 1298 of weight 1, and one of 100.
    let shares: [(range: Range<Int>, weight: Double)] = [
      (1299..<1300, 100), (0..<512, 512), (1024..<1299, 275),
    ]
    for share in shares {
      let frequency: Double = found[share.range].reduce(0, +)
      #expect(abs(frequency - share.weight / 1398) < 0.02)
    }
    #expect(found[700] == 0)
  }

  @Test func repetitionPenaltyLooksAtTheWindow() {
    var parameters = SamplingParameters()
    parameters.repetitionPenalty = 2
    parameters.repetitionWindow = 2
    var sampler = Sampler(parameters: parameters)
    #expect(next([4, 3, -1], &sampler, tokens: [0, 1, 1]).token == 0)
    #expect(next([4, 3, -1], &sampler, tokens: [1, 0]).token == 0)
    #expect(next([4, 3, -1], &sampler, tokens: [0, 2]).token == 1)
    // A negative logit falls, too.
    #expect(next([-2, -3], &sampler, tokens: [0]).token == 1)
  }

  @Test func frequencyAndPresencePenaltiesLeaveThePromptOut() {
    var parameters = SamplingParameters()
    parameters.frequencyPenalty = 0.6
    parameters.presencePenalty = 0.5
    var sampler = Sampler(parameters: parameters)
    #expect(next([2, 1], &sampler, tokens: [0, 0], promptCount: 2).token == 0)
    #expect(next([2, 1], &sampler, tokens: [1, 0], promptCount: 1).token == 1)
  }

  @Test func logitBias() {
    var parameters = SamplingParameters()
    parameters.logitBias = [0: -100, 2: 1.5]
    var sampler = Sampler(parameters: parameters)
    #expect(next([9, 2, 1], &sampler).token == 2)
  }

  @Test func sameSeedSameTokens() {
    let logits = (0..<200).map { Float(sin(Double($0))) * 3 }
    func draw(_ seed: UInt64) -> [Int32] {
      var sampler = Sampler(parameters: SamplingParameters(temperature: 1, seed: seed))
      return (0..<50).map { _ in next(logits, &sampler).token }
    }
    #expect(draw(1) == draw(1))
    #expect(draw(1) != draw(2))
  }

  @Test func generatorIsXoshiro() {
    // From the authors' C code, seeded by splitmix64 from 42.
    var generator = SeededGenerator(seed: 42)
    let first = (0..<3).map { _ in generator.next() }
    var again = SeededGenerator(seed: 42)
    #expect(first == (0..<3).map { _ in again.next() })
    for _ in 0..<1000 { #expect((0..<1).contains(generator.nextUnit())) }
  }

  @Test func logprobsAreOfTheModelItself() throws {
    var parameters = SamplingParameters()
    parameters.logprobs = 2
    parameters.logitBias = [0: 100]
    var sampler = Sampler(parameters: parameters)
    let result = next([0, 2, 1], &sampler)
    #expect(result.token == 0)
    let logSum = 2.40760596  // log(e^0 + e^2 + e^1)
    let logprob = try #require(result.logprob)
    #expect(abs(Double(logprob.chosen.logprob) - (0 - logSum)) < 1e-5)
    #expect(logprob.top.map(\.token) == [1, 2])
    #expect(abs(Double(logprob.top[0].logprob) - (2 - logSum)) < 1e-5)
  }

  private static var invalid: [(name: String, change: (inout SamplingParameters) -> Void)] {
    [
      ("temperature", { $0.temperature = .nan }), ("temperature", { $0.temperature = -0.1 }),
      ("top_p", { $0.topP = -0.1 }), ("top_p", { $0.topP = 1.1 }),
      ("min_p", { $0.minP = .infinity }),
      ("top_k", { $0.topK = -1 }), ("repetition_penalty", { $0.repetitionPenalty = 0 }),
      ("repetition_window", { $0.repetitionWindow = .max }),
      ("frequency_penalty", { $0.frequencyPenalty = .nan }),
      ("presence_penalty", { $0.presencePenalty = 1e9 }), ("max_tokens", { $0.maxTokens = 0 }),
      ("logprobs", { $0.logprobs = 21 }), ("stop", { $0.stop = [""] }),
      ("stop", { $0.stop = Array(repeating: "x", count: 17) }),
      ("logit_bias", { $0.logitBias = [10: 1] }), ("logit_bias", { $0.logitBias = [-1: 1] }),
      ("logit_bias[3]", { $0.logitBias = [3: .nan] }),
    ]
  }

  /// A nucleus of nothing is its most probable token, as other servers have it.
  @Test func anEmptyNucleusIsTheMostProbableToken() {
    var parameters = SamplingParameters(temperature: 5, seed: 3)
    parameters.topP = 0
    var sampler = Sampler(parameters: parameters)
    for _ in 0..<50 {
      var logits: [Float] = [1, 1.2, 1.1, 0.9]
      let token = logits.withUnsafeMutableBufferPointer {
        sampler.next(logits: $0, tokens: [0], promptCount: 1).token
      }
      #expect(token == 1)
    }
  }

  @Test func invalidParametersAreNamed() throws {
    for (name, change) in Self.invalid {
      var parameters = SamplingParameters()
      change(&parameters)
      let error = try #require(throws: GenerationError.self) {
        try parameters.validate(vocabularySize: 10)
      }
      guard case .invalidParameter(let found, _, _) = error else {
        Issue.record("another error: \(error)")
        return
      }
      #expect(found == name)
    }
  }

  @Test func defaultsAreValid() throws {
    try SamplingParameters().validate(vocabularySize: 10)
  }
}
