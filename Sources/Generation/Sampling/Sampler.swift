import Grammar
import Kernels

/// Chooses the tokens of one sequence.
///
/// It belongs to its sequence, and draws only from its own random numbers: what other sequences
/// do has no influence.
package struct Sampler: Sendable {
  private let temperature: Float
  private let topK: Int
  private let topP: Float
  private let minP: Float
  private let logprobs: Int?
  private let logitSteps: [any LogitStep]
  private let candidateSteps: [any CandidateStep]
  private var generator: SeededGenerator
  private var candidates = Candidates()
  /// What the last token was drawn from.
  private var pool = Pool.logits
  private let constraint: TokenConstraint?
  /// Logits as they were before a token was drawn that can't follow.
  private var kept: [Float] = []
  /// Why no token can follow; the answer can't go on then.
  package private(set) var failure: GrammarError?

  private static let leastProbability: Float = 1e-6
  /// Dividing logits by less would give numbers that are none; the most probable token has all there is long before.
  private static let leastTemperature: Float = 1e-5

  /// What the answer's format says of the next token.
  package enum Scope: Sendable, Equatable {
    /// It is the answer's, and keeps to the format.
    case answer
    /// The same, but that the model may begin to think with this token.
    case opening(Int32)
    /// The model thinks: it may write anything, but must not end where the answer must not.
    ///
    /// - Parameter marks: Tokens that end something else than the answer.
    case thinking(marks: [Int32: String])
    /// The model calls a function in a message of its own, and may end with it.
    case call
  }

  private enum Pool {
    /// The most probable token was taken.
    case logits
    /// The logits have become weights.
    case weights
    case candidates
  }

  /// - Parameter constraint: What the tokens must keep to; it is this sampler's alone.
  package init(parameters: SamplingParameters, constraint: TokenConstraint? = nil) {
    self.constraint = constraint
    temperature = parameters.temperature < Self.leastTemperature ? 0 : parameters.temperature
    topK = parameters.topK
    // Of 0 the most probable token is left, as other servers have it.
    topP = max(parameters.topP, Self.leastProbability)
    minP = parameters.minP
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
      TopKStep(count: parameters.topK), TopPStep(probability: topP),
      MinPStep(share: parameters.minP),
    ]
    generator = SeededGenerator(seed: parameters.seed ?? .random(in: 0 ... .max))
  }

  /// Whether the answer is whole and nothing can follow it.
  package var isComplete: Bool { constraint?.isComplete ?? false }

  /// The next token. `logits` is scratch space afterwards.
  /// - Parameters:
  ///   - tokens: The prompt and all that was generated.
  ///   - promptCount: How many of `tokens` are the prompt.
  ///   - scope: What the format, where there is one, says of this token.
  package mutating func next(
    logits: UnsafeMutableBufferPointer<Float>, tokens: [Int32], promptCount: Int,
    scope: Scope = .answer
  ) -> (token: Int32, logprob: ChosenLogprob?) {
    // The steps and the choice overwrite the logits; keep what logprobs need.
    let original = logprobs.map { count in
      let row = UnsafeBufferPointer(logits)
      return (
        distribution: LogitDistribution(logits: row, topCount: count), logits: Array(row)
      )
    }
    for step in logitSteps { step.apply(to: logits, tokens: tokens, promptCount: promptCount) }
    let token = constraint.map { choose(logits, $0, scope) } ?? choose(logits)
    let chosen = original.map { original in
      let logprob = original.distribution.logprob(of: original.logits[Int(token)])
      return ChosenLogprob(
        chosen: TokenLogprob(token: token, logprob: logprob), top: original.distribution.top)
    }
    return (token, chosen)
  }

  private mutating func choose(
    _ logits: UnsafeMutableBufferPointer<Float>, _ constraint: TokenConstraint, _ scope: Scope
  ) -> Int32 {
    switch scope {
    case .answer: return chooseAllowed(logits, constraint, opening: nil)
    case .opening(let token): return chooseAllowed(logits, constraint, opening: token)
    case .call: return choose(logits)
    case .thinking(let marks):
      constraint.forbidEnd(logits) { marks[$0] == nil }
      return choose(logits)
    }
  }

  /// Takes what the answer begins with where that came with the end of the thinking; false, and nothing is taken,
  /// where the format has no such beginning.
  package mutating func begin(_ text: String) -> Bool {
    guard let constraint else { return true }
    do throws(GrammarError) {
      return try constraint.take(Array(text.utf8))
    } catch {
      failure = error
      return false
    }
  }

  /// Tokens that are drawn before the whole vocabulary is looked at.
  private static let tries = 8

  /// The choice among the tokens that may follow.
  ///
  /// A token is drawn from all that top-k, top-p and min-p leave, and kept if it is allowed; else another from the rest,
  /// until one is. Each allowed token so has the probability that it has among those alone, as if the others had never
  /// been there: what is drawn and put away has no say in the order of those that stay. Only where a few draws find none
  /// is the whole vocabulary looked at; and where nothing that is left is allowed, the choice begins anew among all
  /// tokens that are.
  ///
  /// - Parameter opening: A token that is allowed besides; it is not the format's.
  private mutating func chooseAllowed(
    _ logits: UnsafeMutableBufferPointer<Float>, _ constraint: TokenConstraint, opening: Int32?
  ) -> Int32 {
    let isRandom = temperature > 0 && topK != 1
    if isRandom {
      kept.removeAll(keepingCapacity: true)
      kept.append(contentsOf: logits)
    }
    var token = choose(logits)
    do throws(GrammarError) {
      for turn in 0..<Self.tries {
        if token == opening { return token }
        if try constraint.take(token, isFirst: turn == 0) { return token }
        guard let next = chooseAgain(logits, without: token) else { break }
        token = next
      }
      if isRandom { _ = logits.update(fromContentsOf: kept) }
      try constraint.mask(logits, isFirst: false)
      if case .candidates = pool {
        candidates.items.removeAll { logits[Int($0.token)] == -.infinity }
        if let next = candidates.draw(using: &generator), try constraint.take(next, isFirst: false)
        {
          return next
        }
      }
      token = choose(logits)
      // Where the logits are no numbers, whatever was chosen may not be allowed.
      if try !constraint.take(token, isFirst: false) { throw .noTokenFits }
      return token
    } catch {
      failure = error
      return token
    }
  }

  /// Another choice from the same, without the token that was chosen; nil where nothing is left.
  private mutating func chooseAgain(
    _ logits: UnsafeMutableBufferPointer<Float>, without token: Int32
  ) -> Int32? {
    switch pool {
    case .logits:
      logits[Int(token)] = -.infinity
      let best = LogitDistribution.argmax(UnsafeBufferPointer(logits))
      return logits[Int(best)] > -.infinity ? best : nil
    case .weights:
      logits[Int(token)] = 0
      return WeightedDraw.index(UnsafeBufferPointer(logits), using: &generator)
        .map { Int32(truncatingIfNeeded: $0) }
    case .candidates:
      candidates.items.removeAll { $0.token == token }
      return candidates.draw(using: &generator)
    }
  }

  /// The choice among logits that the steps are done with, which become scratch.
  private mutating func choose(_ logits: UnsafeMutableBufferPointer<Float>) -> Int32 {
    let best = LogitDistribution.argmax(UnsafeBufferPointer(logits))
    pool = .logits
    guard temperature > 0, topK != 1, logits[Int(best)].isFinite,
      let first = logits.baseAddress
    else { return best }
    VectorOperations.scale(first, by: 1 / temperature, count: logits.count)
    let largest = logits[Int(best)]
    guard topK > 0 || topP < 1 || minP > 0 else {
      pool = .weights
      VectorOperations.exponentials(first, below: largest, count: logits.count)
      let index = WeightedDraw.index(UnsafeBufferPointer(logits), using: &generator)
      return index.map { Int32(truncatingIfNeeded: $0) } ?? best
    }
    pool = .candidates
    gather(UnsafeBufferPointer(logits), largest: largest)
    for step in candidateSteps { step.apply(to: &candidates) }
    return candidates.draw(using: &generator) ?? best
  }

  /// Below this, in nats, a weight is e^-24 of the largest: together less than a float can add to it.
  private static let deepest: Float = 24
  private static let depthStep: Float = 2

  /// Takes the most probable tokens, going down until there are as many as the steps can keep: a few
  /// hundred to sort then, and not the whole vocabulary.
  private mutating func gather(_ logits: UnsafeBufferPointer<Float>, largest: Float) {
    // What top-p keeps depends on all tokens, unless top-k has left some out before.
    candidates.total =
      topK == 0 && topP < 1
      ? logits.baseAddress.map {
        Exponential.of(VectorOperations.logSumExp($0, count: logits.count) - Double(largest))
      } : nil
    // Min-p comes last: only without top-k does nothing depend on what it leaves out.
    let bottom =
      topK == 0 && minP > 0
      ? min(Self.deepest, 0.001 - Exponential.logarithm(minP)) : Self.deepest
    var depth = topK == 0 && topP >= 1 ? bottom : 0
    repeat {
      depth = min(depth + Self.depthStep, bottom)
      candidates.fill(logits: logits, largest: largest, floor: largest - depth)
    } while depth < bottom && !isEnough
  }

  /// Whether no token below the candidates can be kept.
  private var isEnough: Bool {
    if topK > 0 { return candidates.items.count >= topK }
    return candidates.total.map { candidates.weight >= Double(topP) * $0 } ?? false
  }
}
