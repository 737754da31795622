extension RoutingDecision {
  /// Its JSON, to the byte what `JSONEncoder` makes with sorted keys.
  package func write(to json: inout JSONWriter) {
    json.object { json in
      json.member("active_experts", activeExperts)
      json.member("constraints", objects: constraints) { json, limit in
        json.member("constraint", limit.constraint.rawValue)
        json.member("source", limit.source.rawValue)
        json.member("value", limit.value)
      }
      json.member("expert", expert)
      json.key("experts")
      Self.write(experts, to: &json)
      json.member("flags", objects: flags) { json, flag in
        json.member("goal", flag.goal.rawValue)
        json.member("source", flag.source.rawValue)
        json.member("weight", flag.weight)
      }
      json.member("ignored_flags", objects: ignoredFlags) { json, flag in
        json.member("reason", flag.reason)
        json.member("text", flag.text)
      }
      json.member("margin", margin)
      json.member("milliseconds", milliseconds)
      json.member("on_pareto_front", onParetoFront)
      json.member("router_version", routerVersion)
      json.member("runner_up", runnerUp)
      json.member("strategy", strategy.name)
    }
  }

  /// The JSON of ``experts`` alone, as the log keeps it.
  package var expertsJSON: String {
    var json = JSONWriter(capacity: experts.count * 1024)
    Self.write(experts, to: &json)
    return String(decoding: json.bytes, as: UTF8.self)
  }

  private static func write(_ experts: [ExpertResult], to json: inout JSONWriter) {
    json.array(experts) { json, result in
      json.object { json in
        json.member("eligible", result.eligible)
        json.member("expert", result.expert)
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
}

extension Goal {
  fileprivate static let byName = allCases.sorted { $0.rawValue < $1.rawValue }
}
