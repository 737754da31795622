/// Chooses the tokens of one sequence.
///
/// It belongs to its sequence, and draws only from its own random numbers: what other sequences
/// do has no influence.
package struct Sampler: Sendable {
  private let temperature: Float
  private let topK: Int
  private let logprobs: Int?
  private let logitSteps: [any LogitStep]
  private let candidateSteps: [any CandidateStep]
  private var generator: SeededGenerator
  private var candidates = Candidates()

  package init(parameters: SamplingParameters) {
    temperature = parameters.temperature
    topK = parameters.topK
    logprobs = parameters.logprobs
    var steps: [any LogitStep] = []
    if !parameters.logitBias.isEmpty { steps.append(LogitBiasStep(bias: parameters.logitBias)) }
    if parameters.repetitionPenalty != 1, parameters.repetitionWindow > 0 {
      steps.append(
        RepetitionPenaltyStep(
          penalty: parameters.repetitionPenalty, window: parameters.repetitionWindow))
    }
    if parameters.frequencyPenalty != 0 || parameters.presencePenalty != 0 {
      steps.append(
        FrequencyPenaltyStep(
          frequency: parameters.frequencyPenalty, presence: parameters.presencePenalty))
    }
    logitSteps = steps
    candidateSteps = [
      TopKStep(count: parameters.topK), TopPStep(probability: parameters.topP),
      MinPStep(share: parameters.minP),
    ]
    generator = SeededGenerator(seed: parameters.seed ?? .random(in: 0 ... .max))
  }

  /// The next token. `logits` is scratch space afterwards.
  /// - Parameters:
  ///   - tokens: The prompt and all that was generated.
  ///   - promptCount: How many of `tokens` are the prompt.
  package mutating func next(
    logits: UnsafeMutableBufferPointer<Float>, tokens: [Int32], promptCount: Int
  ) -> (token: Int32, logprob: ChosenLogprob?) {
    var distribution: LogitDistribution?
    if let logprobs {
      distribution = LogitDistribution(logits: UnsafeBufferPointer(logits), topCount: logprobs)
    }
    // The steps may overwrite the chosen token's logit; keep what logprobs need.
    let original = distribution == nil || logitSteps.isEmpty ? nil : Array(logits)
    for step in logitSteps { step.apply(to: logits, tokens: tokens, promptCount: promptCount) }
    let token = choose(UnsafeBufferPointer(logits))
    let chosen = distribution.map { distribution in
      let logit = original?[Int(token)] ?? logits[Int(token)]
      return ChosenLogprob(
        chosen: TokenLogprob(token: token, logprob: distribution.logprob(of: logit)),
        top: distribution.top)
    }
    return (token, chosen)
  }

  private mutating func choose(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
    let best = LogitDistribution.argmax(logits)
    guard temperature > 0, topK != 1, logits[Int(best)].isFinite else { return best }
    let inverse = 1 / temperature
    // Below this the weight is e^-24 of the largest: together less than a float can add to it.
    let floor = logits[Int(best)] - 24 * temperature
    candidates.fill(
      logits: logits, inverseTemperature: inverse, largest: logits[Int(best)], floor: floor)
    for step in candidateSteps { step.apply(to: &candidates) }
    return candidates.draw(using: &generator) ?? best
  }
}
