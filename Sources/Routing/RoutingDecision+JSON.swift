import JSON

extension RoutingDecision {
  /// Its JSON, to the byte what `JSONEncoder` makes with sorted keys.
  ///
  /// - Parameter experts: What ``expertsJSON`` gave, which is nearly all of it.
  package func write(to json: inout JSONWriter, experts: [UInt8]) {
    json.object { json in
      json.member("active_experts", activeExperts)
      json.key("constraints")
      Self.write(constraints, to: &json)
      json.member("expert", expert)
      json.key("experts")
      json.raw(experts)
      json.key("flags")
      Self.write(flags, to: &json)
      json.key("ignored_flags")
      Self.write(ignoredFlags, to: &json)
      json.member("margin", margin)
      json.member("milliseconds", milliseconds)
      json.member("on_pareto_front", onParetoFront)
      json.member("router_version", routerVersion)
      json.member("runner_up", runnerUp)
      json.member("strategy", strategy.name)
    }
  }

  /// The JSON of ``experts`` alone, as the log keeps it.
  package var expertsJSON: [UInt8] {
    var json = JSONWriter(capacity: experts.count * 1024)
    Self.write(experts, to: &json)
    return json.bytes
  }

  /// The JSON of ``constraints``, as the log keeps it.
  package var constraintsJSON: [UInt8] {
    var json = JSONWriter()
    Self.write(constraints, to: &json)
    return json.bytes
  }

  /// The JSON of ``flags`` and the ignored ones, as the log keeps it.
  ///
  /// - Parameter quotesIgnored: Whether it has the text of those: they are pieces of the prompt.
  package func flagsJSON(quotesIgnored: Bool) -> [UInt8] {
    var ignored = ignoredFlags
    if !quotesIgnored {
      for index in ignored.indices { ignored[index].text = "" }
    }
    var json = JSONWriter()
    json.object { json in
      json.key("ignored")
      Self.write(ignored, to: &json)
      json.key("in_force")
      Self.write(flags, to: &json)
    }
    return json.bytes
  }

  private static func write(_ constraints: [ConstraintInForce], to json: inout JSONWriter) {
    json.objects(constraints) { json, limit in
      json.member("constraint", limit.constraint.rawValue)
      json.member("source", limit.source.rawValue)
      json.member("value", limit.value)
    }
  }

  private static func write(_ flags: [WeightInForce], to json: inout JSONWriter) {
    json.objects(flags) { json, flag in
      json.member("goal", flag.goal.rawValue)
      json.member("source", flag.source.rawValue)
      json.member("weight", flag.weight)
    }
  }

  private static func write(_ flags: [PromptFlags.Ignored], to json: inout JSONWriter) {
    json.objects(flags) { json, flag in
      json.member("reason", flag.reason)
      json.member("text", flag.text)
    }
  }

  private static func write(_ experts: [ExpertResult], to json: inout JSONWriter) {
    json.objects(experts) { json, result in
      json.member("assumed", result.isAssumed)
      json.member("eligible", result.eligible)
      json.member("expert", result.expert)
      if let feedback = result.feedback {
        json.key("feedback")
        json.object { json in
          json.member("evidence", feedback.evidence)
          json.member("score", feedback.score)
          json.member("term", feedback.term)
        }
      }
      json.key("goals")
      json.object { json in
        for goal in Goal.byName {
          guard let term = result.goals[goal] else { continue }
          json.key(goal.rawValue)
          json.object { json in
            json.member("cost", term.cost)
            json.member("raw", term.raw)
            json.member("term", term.term)
            json.member("weight", term.weight)
          }
        }
      }
      json.member("on_pareto_front", result.onParetoFront)
      json.member("predicted_loss", result.predictedLoss)
      if let reason = result.reason {
        json.key("reason")
        json.object { json in
          json.member("code", reason.code)
          json.member("message", reason.message)
        }
      }
      json.member("total", result.total)
      json.member("uncertainty", result.uncertainty)
    }
  }
}

extension Goal {
  fileprivate static let byName = allCases.sorted { $0.rawValue < $1.rawValue }
}
