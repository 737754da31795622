/// What a request asks of the objective, and where each wish came from.
package struct RoutingPreferences: Equatable, Sendable {
  /// Who stated a weight or a limit.
  package enum Source: String, Codable, Sendable {
    case configuration, prompt, json
    /// The key that the request came with.
    case key
  }

  package var weights: GoalWeights
  package var constraints: Constraints
  package var weightSources: [Goal: Source]
  package var constraintSources: [Constraints.CodingKeys: Source]
  package var ignoredFlags: [PromptFlags.Ignored]

  package init(
    weights: GoalWeights = GoalWeights(), constraints: Constraints = Constraints(),
    weightSources: [Goal: Source] = [:],
    constraintSources: [Constraints.CodingKeys: Source] = [:],
    ignoredFlags: [PromptFlags.Ignored] = []
  ) {
    self.weights = weights
    self.constraints = constraints
    self.weightSources = weightSources
    self.constraintSources = constraintSources
    self.ignoredFlags = ignoredFlags
  }
}

/// What the operator sets for every request.
package struct RoutingDefaults: Equatable, Sendable, Codable {
  /// Weights and limits that a request's JSON may replace.
  package var weights: GoalWeights
  package var constraints: Constraints
  /// Limits that nobody can loosen.
  package var limits: Constraints
  /// Whether flags in prompt text are obeyed; they are stripped and reported in any case.
  package var obeysPromptFlags: Bool

  package init(
    weights: GoalWeights = GoalWeights(), constraints: Constraints = Constraints(),
    limits: Constraints = Constraints(), obeysPromptFlags: Bool = true
  ) {
    self.weights = weights
    self.constraints = constraints
    self.limits = limits
    self.obeysPromptFlags = obeysPromptFlags
  }

  enum CodingKeys: String, CodingKey {
    case weights, constraints, limits
    case obeysPromptFlags = "prompt_flags"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      weights: try values.decodeIfPresent(GoalWeights.self, forKey: .weights) ?? GoalWeights(),
      constraints: try values.decodeIfPresent(Constraints.self, forKey: .constraints)
        ?? Constraints(),
      limits: try values.decodeIfPresent(Constraints.self, forKey: .limits) ?? Constraints(),
      obeysPromptFlags: try values.decodeIfPresent(Bool.self, forKey: .obeysPromptFlags) ?? true)
  }
}

extension RoutingPreferences {
  /// Ignored flags that are reported one by one.
  private static let reportedFlags = 64

  /// Merges what configuration, prompt text and JSON say.
  ///
  /// Weights: JSON over prompt over configuration, goal by goal. Constraints: JSON replaces the
  /// configuration's defaults; then prompt flags, the key's and the operator's limits can only tighten. A
  /// prompt can hold text from third parties, so it must never widen what others set.
  package static func merge(
    defaults: RoutingDefaults = RoutingDefaults(), prompt: PromptFlags? = nil,
    jsonWeights: GoalWeights = GoalWeights(), jsonConstraints: Constraints = Constraints(),
    keyConstraints: Constraints = Constraints()
  ) -> RoutingPreferences {
    var merged = RoutingPreferences()
    func take(_ weights: GoalWeights, from source: Source) {
      for (goal, weight) in weights.given {
        try? merged.weights.set(weight, for: goal)
        merged.weightSources[goal] = source
      }
    }
    take(defaults.weights, from: .configuration)

    var constraints = defaults.constraints
    note(defaults.constraints, as: .configuration, in: &merged)
    constraints = constraints.replaced(by: jsonConstraints)
    note(jsonConstraints, as: .json, in: &merged)

    if let prompt {
      merged.ignoredFlags = prompt.ignored
      if defaults.obeysPromptFlags {
        take(prompt.weights, from: .prompt)
        for flag in prompt.understood {
          guard case .constraint(let asked) = flag.meaning else { continue }
          let before = constraints
          constraints = tighten(constraints, by: asked, as: .prompt, in: &merged)
          if constraints == before {
            merged.ignoredFlags.append(
              .init(text: flag.text, reason: "no stricter than the limit that already stands"))
          }
        }
      } else {
        merged.ignoredFlags += prompt.understood.map {
          .init(text: $0.text, reason: "prompt flags are turned off")
        }
      }
    }
    let beyond = merged.ignoredFlags.count - reportedFlags
    if beyond > 0 {
      merged.ignoredFlags.removeLast(beyond)
      merged.ignoredFlags.append(.init(text: "", reason: "\(beyond) more flags were ignored"))
    }
    take(jsonWeights, from: .json)
    constraints = tighten(constraints, by: keyConstraints, as: .key, in: &merged)
    merged.constraints = tighten(constraints, by: defaults.limits, as: .configuration, in: &merged)
    return merged
  }

  private static func note(
    _ constraints: Constraints, as source: Source, in merged: inout RoutingPreferences
  ) {
    for (key, _) in constraints.stated { merged.constraintSources[key] = source }
  }

  /// Tightens, and notes the source of every limit that this changed.
  private static func tighten(
    _ constraints: Constraints, by other: Constraints, as source: Source,
    in merged: inout RoutingPreferences
  ) -> Constraints {
    let tightened = constraints.tightened(by: other)
    let before = Dictionary(uniqueKeysWithValues: constraints.stated.map { ($0.key, $0.value) })
    for (key, value) in tightened.stated where before[key] != value {
      merged.constraintSources[key] = source
    }
    return tightened
  }
}
