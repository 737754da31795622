import Foundation

/// What callers thought of answers, and what that says of the experts on another prompt.
///
/// A router predicts how well an expert models a text. That goes with quality and is not the same, and it was measured
/// on other prompts than those that come. So what callers say of answers is remembered with the prompt's embedding, and
/// each expert's predicted loss is corrected by the opinions of answers to prompts like the one that is asked:
///
///     loss' = loss x (1 - weight x m),    m = sum(w s) / (sum(w) + doubt),    w = exp((cosine - 1) / temperature)
///
/// with s the scores of the expert's answers (-1 bad, 1 good). It is Nadaraya and Watson's kernel mean (1964), held
/// towards "nothing known" by `doubt` answers. One opinion so moves a decision only where it was close; several alike
/// move it for good, and only for prompts of their kind. An expert whose answers are called bad makes room for the next
/// one, and so the others get tried: nothing is explored that nobody asked for.
/// (`thalamus router evaluate --feedback` measures what it is worth.)
package struct FeedbackMemory: Sendable {
  /// How much opinions count, and how far from their prompt.
  package struct Weighting: Equatable, Sendable {
    /// Share of an expert's predicted loss that unanimous opinions take off or put on; 0...1.
    package var weight: Double
    /// Difference of cosines at which an opinion counts 1/e.
    package var temperature: Double
    /// Answers that "nothing known" weighs against what is known.
    package var doubt: Double

    package init(weight: Double = 0.3, temperature: Double = 0.1, doubt: Double = 0.5) {
      self.weight = weight
      self.temperature = temperature
      self.doubt = doubt
    }
  }

  /// What a caller thought of one answer.
  package struct Judgement: Sendable {
    /// Of which a later judgement takes the place.
    package var decision: String
    package var expert: String
    /// -1 (bad) to 1 (good).
    package var score: Double
    /// The prompt's, as the encoder gave it. // (dimension)
    package var embedding: [Float]

    package init(decision: String, expert: String, score: Double, embedding: [Float]) {
      self.decision = decision
      self.expert = expert
      self.score = score
      self.embedding = embedding
    }
  }

  private struct Entry {
    let decision: String
    let expert: String
    var score: Double
  }

  package let weighting: Weighting
  /// Judgements that are kept; of more the oldest go.
  package let capacity: Int
  private let space: EmbeddingSpace
  private var entries: [Entry] = []
  private var directions: UnitVectors
  /// Place in ``entries`` by decision.
  private var places: [String: Int] = [:]
  /// The place that is taken next once ``entries`` is full.
  private var oldest = 0

  /// - Parameter space: Where prompts are compared: the router's.
  package init(
    space: EmbeddingSpace, weighting: Weighting = Weighting(), capacity: Int = 8192
  ) {
    self.space = space
    self.weighting = weighting
    self.capacity = max(1, capacity)
    directions = UnitVectors([], width: space.dimension)
  }

  package var count: Int { entries.count }

  /// Remembers a judgement. A second one of the same decision takes the first one's place.
  ///
  /// - Throws: ``RoutingError/wrongDimension(field:expected:found:)`` or
  ///   ``RoutingError/invalidValue(field:value:expected:)``; nothing is remembered then.
  ///
  /// - Parameter isRecalled: Whether it was said before what may be remembered already of the same decision.
  package mutating func remember(
    _ judgement: Judgement, isRecalled: Bool = false
  ) throws(RoutingError) {
    guard (-1...1).contains(judgement.score) else {
      throw .invalidValue(
        field: "score", value: "\(judgement.score)", expected: "a number from -1 to 1")
    }
    let direction = try space.query(judgement.embedding)
    if let place = places[judgement.decision] {
      if !isRecalled { entries[place].score = judgement.score }
      return
    }
    let entry = Entry(
      decision: judgement.decision, expert: judgement.expert, score: judgement.score)
    if entries.count < capacity {
      places[entry.decision] = entries.count
      entries.append(entry)
      directions.append(direction)
    } else {
      places[entries[oldest].decision] = nil
      places[entry.decision] = oldest
      entries[oldest] = entry
      directions.replace(oldest, with: direction)
      oldest = (oldest + 1) % capacity
    }
  }

  /// What is thought of each expert's answers to prompts like this one; of those that anything is known of.
  ///
  /// - Parameter embedding: The prompt's, as the encoder gave it. // (dimension)
  package func opinions(on embedding: [Float]) throws(RoutingError) -> [String: FeedbackOpinion] {
    guard weighting.weight > 0, !entries.isEmpty else { return [:] }
    let cosines = directions.cosines(with: try space.query(embedding))
    var sums: [String: (evidence: Double, scores: Double)] = [:]
    for (entry, cosine) in zip(entries, cosines) {
      let weight = exp((min(Double(cosine), 1) - 1) / weighting.temperature)
      guard weight > Self.leastWeight else { continue }
      sums[entry.expert, default: (0, 0)].evidence += weight
      sums[entry.expert, default: (0, 0)].scores += weight * entry.score
    }
    return sums.mapValues { sum in
      let score = sum.scores / (sum.evidence + weighting.doubt)
      return FeedbackOpinion(
        score: score, evidence: sum.evidence, factor: max(0, 1 - weighting.weight * score))
    }
  }

  /// What counts less is left out: thousands of opinions on prompts of another kind say nothing together.
  private static let leastWeight = 1e-3
}

/// What callers think of one expert's answers to prompts like one.
package struct FeedbackOpinion: Equatable, Sendable {
  /// Mean of the scores, the nearest counting most, and held towards 0 where there are few; -1...1.
  package var score: Double
  /// Answers to the very same prompt that would say as much.
  package var evidence: Double
  /// By which the expert's predicted loss is multiplied.
  package var factor: Double

  package init(score: Double, evidence: Double, factor: Double) {
    self.score = score
    self.evidence = evidence
    self.factor = factor
  }
}
