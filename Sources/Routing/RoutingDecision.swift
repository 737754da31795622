/// One routing, with everything it was made from.
///
/// Its JSON is the `decision` of `POST /route`.
package struct RoutingDecision: Codable, Equatable, Sendable {
  /// What one goal adds to one expert's total.
  package struct GoalTerm: Codable, Equatable, Sendable {
    package var weight: Double
    /// In the goal's own unit; nil where neither card nor measurement tells.
    package var raw: Double?
    /// Scaled to 0...1 over the eligible experts.
    package var cost: Double
    /// weight x cost, bits per byte.
    package var term: Double
  }

  /// What callers' opinions of earlier answers did to one expert's predicted loss.
  package struct FeedbackTerm: Codable, Equatable, Sendable {
    /// Of its answers to prompts like this one, -1 (bad) to 1 (good).
    package var score: Double
    /// Answers to the very same prompt that would say as much.
    package var evidence: Double
    /// What the predicted loss has of it, bits per byte.
    package var term: Double
  }

  /// How one expert fared.
  package struct ExpertResult: Codable, Equatable, Sendable {
    package var expert: String
    package var eligible: Bool
    /// Bits per byte; with what callers' opinions did to it.
    package var predictedLoss: Double?
    /// One standard error of the predicted loss.
    package var uncertainty: Double?
    /// True where the predicted loss is not the router's, but follows from the card's `expected_loss_ratio`.
    package var isAssumed: Bool?
    /// Nil where nobody said anything of its answers to prompts like this one.
    package var feedback: FeedbackTerm?
    /// For each goal with its cost, also those of weight 0; empty where not eligible.
    package var goals: [Goal: GoalTerm]
    /// Predicted loss plus all terms.
    package var total: Double?
    /// On the Pareto front of predicted loss and the goals that count.
    package var onParetoFront: Bool?
    /// Why it was not eligible.
    package var reason: IneligibilityReason?

    enum CodingKeys: String, CodingKey {
      case expert, eligible, feedback, goals, total, reason
      case predictedLoss = "predicted_loss"
      case uncertainty
      case isAssumed = "assumed"
      case onParetoFront = "on_pareto_front"
    }
  }

  /// A weight in force, and who asked for it.
  package struct WeightInForce: Codable, Equatable, Sendable {
    package var goal: Goal
    package var weight: Double
    package var source: RoutingPreferences.Source
  }

  /// A limit in force, and who asked for it.
  package struct ConstraintInForce: Codable, Equatable, Sendable {
    package var constraint: Constraints.CodingKeys
    package var value: String
    package var source: RoutingPreferences.Source
  }

  package var expert: String
  package var strategy: RoutingStrategy
  package var routerVersion: String?
  /// Whether the choice is on the Pareto front of predicted loss and the goals that count.
  package var onParetoFront: Bool
  /// The eligible expert with the next smallest total.
  package var runnerUp: String?
  /// How much larger the runner-up's total is, bits per byte; negative where the strategy did not
  /// follow the objective.
  package var margin: Double?
  package var experts: [ExpertResult]
  package var flags: [WeightInForce]
  package var constraints: [ConstraintInForce]
  package var ignoredFlags: [PromptFlags.Ignored]
  /// Set by the service, which has the clock.
  package var milliseconds: Double?
  /// Mean number of experts that a mixture's gates wanted for a token of the prompt, where the router
  /// takes that into account.
  package var activeExperts: Double?

  enum CodingKeys: String, CodingKey {
    case expert, strategy, margin, experts, flags, constraints, milliseconds
    case routerVersion = "router_version"
    case onParetoFront = "on_pareto_front"
    case runnerUp = "runner_up"
    case ignoredFlags = "ignored_flags"
    case activeExperts = "active_experts"
  }

  /// The result of the chosen expert.
  package var chosen: ExpertResult? { experts.first { $0.expert == expert } }
}
