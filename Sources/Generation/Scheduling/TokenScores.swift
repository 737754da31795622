import Foundation
import Transformer

/// What a model says of a given text, each token given those before it.
package struct TokenScores: Sendable, Equatable {
  /// Natural log-probability of each token; nil for the first, which nothing precedes.
  package var logprobs: [Float?]
  /// The most probable token at each place, given those before it; nil for the first.
  package var top: [Int32?]
  /// The most probable tokens at each place, most probable first, as many as were asked for.
  package var alternatives: [[TokenLogprob]]
  /// What the gates of a mixture of experts chose for the text; nil of other models.
  package var gateStatistics: GateStatistics?

  /// Sum of the negative log-probabilities, in nats.
  package var lossNats: Double { logprobs.reduce(0) { $0 - Double($1 ?? 0) } }
  /// exp of the mean loss a token.
  package var perplexity: Double {
    let count = logprobs.count { $0 != nil }
    return count == 0 ? .nan : exp(lossNats / Double(count))
  }
  /// Loss in bits for each of the text's UTF-8 bytes.
  package func lossBitsPerByte(byteCount: Int) -> Double {
    lossNats / (log(2) * Double(byteCount))
  }
}

/// How badly a model predicts an answer, given its prompt.
package struct ContinuationLoss: Sendable, Equatable {
  /// Sum of the answer tokens' negative log-probabilities, in nats.
  package var lossNats: Double
  package var answerTokens: Int
  /// UTF-8 bytes of the answer's text.
  package var answerBytes: Int

  package var lossBitsPerByte: Double { lossNats / (log(2) * Double(answerBytes)) }
}
