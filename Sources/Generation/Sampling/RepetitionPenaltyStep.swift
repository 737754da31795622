/// Makes tokens of the recent past less probable (Keskar et al. 2019, CTRL): a positive logit is
/// divided by the penalty, a negative one multiplied. Each token counts once.
package struct RepetitionPenaltyStep: LogitStep {
  let penalty: Float
  let window: Int

  package init(penalty: Float, window: Int) {
    self.penalty = penalty
    self.window = window
  }

  package func apply(
    to logits: UnsafeMutableBufferPointer<Float>, tokens: [Int32], promptCount: Int
  ) {
    for token in Set(tokens.suffix(window)) where logits.indices.contains(Int(token)) {
      let logit = logits[Int(token)]
      logits[Int(token)] = logit > 0 ? logit / penalty : logit * penalty
    }
  }
}
