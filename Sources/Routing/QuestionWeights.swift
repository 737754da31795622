import Foundation

/// How much each question of a conversation tells of what is asked now.
///
/// A conversation may have changed its subject: all questions embedded as one text, an expert for the last one is chosen
/// with ten times the regret. The last one alone, such as "and in Rust?", may say too little. So each is embedded by itself,
/// and an earlier one counts the less, the more was said after it (`thalamus router evaluate --conversations`).
package enum QuestionWeights {
  /// Bytes said after a question by which its weight falls to 1/e.
  static let memoryBytes = 64.0
  /// Below this a question isn't looked at.
  static let least = 0.02

  /// The weights of the questions that count, the latest first, which has 1.
  package static func of(_ questions: [String]) -> [Double] {
    var weights: [Double] = []
    var later = 0.0
    for question in questions {
      let weight = exp(-later / memoryBytes)
      guard weight >= least, weights.count < 32 else { break }
      weights.append(weight)
      later += Double(question.utf8.count) + 1
    }
    return weights
  }

  /// The direction of the questions' embeddings together.
  ///
  /// - Parameter vectors: Unit vectors, as many as weights.
  package static func mix(_ vectors: [[Float]], _ weights: [Double]) -> [Float] {
    guard vectors.count > 1, let first = vectors.first else { return vectors.first ?? [] }
    var sum = [Float](repeating: 0, count: first.count)
    for (vector, weight) in zip(vectors, weights) {
      for index in sum.indices { sum[index] += Float(weight) * vector[index] }
    }
    let length = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return length > 0 ? sum.map { $0 / length } : first
  }
}
