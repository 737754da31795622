/// Adds a fixed amount to the logits of named tokens.
package struct LogitBiasStep: LogitStep {
  let bias: [Int32: Float]

  package init(bias: [Int32: Float]) { self.bias = bias }

  package func apply(
    to logits: UnsafeMutableBufferPointer<Float>, tokens: [Int32], promptCount: Int
  ) {
    for (token, amount) in bias where logits.indices.contains(Int(token)) {
      logits[Int(token)] += amount
    }
  }
}
