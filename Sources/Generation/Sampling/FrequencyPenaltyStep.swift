/// Subtracts from the logits of tokens already generated: `frequency` for each time, `presence`
/// once. As in the OpenAI interface, the prompt does not count.
package struct FrequencyPenaltyStep: LogitStep {
  let frequency: Float
  let presence: Float

  package init(frequency: Float, presence: Float) {
    self.frequency = frequency
    self.presence = presence
  }

  package func apply(
    to logits: UnsafeMutableBufferPointer<Float>, tokens: [Int32], promptCount: Int
  ) {
    var counts: [Int32: Int] = [:]
    for token in tokens.dropFirst(promptCount) { counts[token, default: 0] += 1 }
    for (token, count) in counts where logits.indices.contains(Int(token)) {
      logits[Int(token)] -= Float(count) * frequency + presence
    }
  }
}
