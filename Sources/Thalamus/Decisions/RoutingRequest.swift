import Routing

/// Everything by which a caller steers one decision.
package struct RoutingRequest: Sendable {
  package var input: PromptInput
  /// Weights stated outside the prompt; they win over those in its text.
  package var weights: GoalWeights
  package var constraints: Constraints
  /// Name of a strategy; nil takes the configured one.
  package var strategy: String?
  /// An expert that the caller named instead of asking for a choice.
  package var expert: String?
  /// Most tokens of the answer, for the goals that depend on it.
  package var maxTokens: Int?
  /// For the strategy `random`.
  package var seed: UInt64?
  /// Whether the answer is to tell its tokens' log-probabilities, which remote experts don't.
  package var needsLogprobs = false

  package init(
    input: PromptInput, weights: GoalWeights = GoalWeights(),
    constraints: Constraints = Constraints(), strategy: String? = nil, expert: String? = nil,
    maxTokens: Int? = nil, seed: UInt64? = nil
  ) {
    self.input = input
    self.weights = weights
    self.constraints = constraints
    self.strategy = strategy
    self.expert = expert
    self.maxTokens = maxTokens
    self.seed = seed
  }
}
