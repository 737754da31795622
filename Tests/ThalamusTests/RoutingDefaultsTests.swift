import Routing
import Testing
import Thalamus

/// What the configuration asks of every request.
@Suite struct RoutingDefaultsTests {
  /// Nothing but that a conversation doesn't move for a trifle.
  @Test func whatIsAskedWhereNothingIsSet() throws {
    let defaults = try RoutingDefaults(Configuration())
    #expect(defaults == RoutingDefaults(weights: try GoalWeights([.continuity: 0.01])))
    #expect(defaults.obeysPromptFlags)
  }

  @Test func everyGoalAndLimitArrives() throws {
    var configuration = Configuration()
    let goals = Goal.allCases.enumerated().map { "  \($1.rawValue): \(0.5 + Double($0))" }
    try configuration.apply(
      yaml: """
        goals:
        \(goals.joined(separator: "\n"))
        constraints: {local_only: true, max_parameters: 300_000_000, licenses: [MIT, Apache-2.0]}
        router: {prompt_flags: false}
        """, source: "f")
    let defaults = try RoutingDefaults(configuration)
    for (index, goal) in Goal.allCases.enumerated() {
      #expect(defaults.weights[goal] == 0.5 + Double(index), "\(goal)")
    }
    #expect(
      defaults.limits
        == Constraints(
          maxParameters: 300_000_000, localOnly: true, licenses: ["mit", "apache-2.0"]))
    #expect(defaults.constraints.isEmpty, "what the operator sets cannot be loosened")
    #expect(!defaults.obeysPromptFlags)
  }

  /// A weight that the configuration takes must not fail at the start.
  @Test func largestWeightOfTheFileIsAllowed() throws {
    var configuration = Configuration()
    try configuration.apply(yaml: "goals: {size: \(GoalWeights.maximum)}", source: "f")
    #expect(try RoutingDefaults(configuration).weights[.size] == GoalWeights.maximum)
  }
}
