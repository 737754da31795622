import Foundation

/// A held-out prompt: what every expert really lost on it, and what the router predicted.
package struct EvaluatedPrompt: Sendable {
  package var domain: String
  /// Measured, bits per byte, by expert.
  package var losses: [String: Double]
  /// Predicted, bits per byte, by expert.
  package var predicted: [String: Double]

  package init(domain: String, losses: [String: Double], predicted: [String: Double]) {
    self.domain = domain
    self.losses = losses
    self.predicted = predicted
  }
}

/// How well a router chooses on held-out prompts, beside simpler ways to choose.
///
/// Every policy is judged on the same prompts; the intervals are the middle 95 % of bootstrap
/// resamples of the prompts, drawn once and shared by all policies, so that differences are paired.
package struct RouterEvaluation: Codable, Equatable, Sendable {
  /// A mean and the middle 95 % of its bootstrap distribution.
  package struct Estimate: Codable, Equatable, Sendable {
    package var mean: Double
    package var lower: Double
    package var upper: Double
  }

  /// One way to choose.
  package struct Policy: Codable, Equatable, Sendable {
    package var name: String
    /// Share of prompts on which it chose an expert with the smallest true loss.
    package var agreement: Estimate
    /// Mean of chosen minus smallest true loss, bits per byte.
    package var regret: Estimate
    /// Share of prompts on which the chosen expert's loss is at most 2 % above the smallest.
    package var withinTwoPercent: Estimate

    enum CodingKeys: String, CodingKey {
      case name, agreement, regret
      case withinTwoPercent = "within_two_percent"
    }
  }

  package struct Domain: Codable, Equatable, Sendable {
    package var domain: String
    package var prompts: Int
    package var agreement: Double
    package var regret: Double
    package var bestSingleRegret: Double

    enum CodingKeys: String, CodingKey {
      case domain, prompts, agreement, regret
      case bestSingleRegret = "best_single_regret"
    }
  }

  package var prompts: Int
  /// Prompts left out because an expert's outcome or prediction was missing.
  package var incomplete: Int
  package var experts: [String]
  /// The expert with the smallest mean loss on the training prompts.
  package var bestSingle: String
  package var policies: [Policy]
  /// Regret of the router minus that of the best single expert, paired.
  package var regretDifference: Estimate
  package var domains: [Domain]
  /// Share of prompts for which each expert is truly the best, and for which the router chose it.
  package var oracleShares: [String: Double]
  package var routerShares: [String: Double]

  enum CodingKeys: String, CodingKey {
    case prompts, incomplete, experts, policies, domains
    case bestSingle = "best_single"
    case regretDifference = "regret_difference"
    case oracleShares = "oracle_shares"
    case routerShares = "router_shares"
  }

  /// The policy that is judged.
  package var router: Policy? { policies.first }
}

extension RouterEvaluation {
  /// What the baselines learn from the training prompts, and nothing else.
  package struct Baselines: Sendable {
    package var bestSingle: String
    /// The best expert of each domain.
    package var domainBest: [String: String]

    package init(training set: TrainingSet) {
      let levels = set.levels
      func best(_ rows: [Int]) -> String? {
        // Beyond what every prompt costs, so that experts measured on different ones can be compared;
        // and on at least half of them, if any expert was.
        let means = set.experts.map { expert -> (excess: Double, expert: String, count: Int) in
          let excess = rows.compactMap { row in
            set.examples[row].losses[expert].map { $0 - levels[row] }
          }
          return (
            excess.isEmpty ? .infinity : excess.reduce(0, +) / Double(excess.count), expert,
            excess.count
          )
        }
        let common = means.filter { $0.count * 2 >= rows.count }
        return (common.isEmpty ? means.filter { $0.count > 0 } : common)
          .min { ($0.excess, $0.expert) < ($1.excess, $1.expert) }?.expert
      }
      bestSingle = best(Array(set.examples.indices)) ?? set.experts[0]
      domainBest = Dictionary(grouping: set.examples.indices) { set.examples[$0].domain }
        .compactMapValues(best)
    }

    package init(bestSingle: String, domainBest: [String: String]) {
      self.bestSingle = bestSingle
      self.domainBest = domainBest
    }
  }

  /// One policy's results, prompt by prompt.
  private struct Scores {
    var name: String
    var agreement: [Double] = []
    var regret: [Double] = []
    var within: [Double] = []

    mutating func add(_ loss: Double, best: Double) {
      agreement.append(loss <= best + 1e-12 ? 1 : 0)
      regret.append(loss - best)
      within.append(loss <= best * 1.02 + 1e-12 ? 1 : 0)
    }

    /// The expected value of choosing evenly among these losses.
    mutating func addExpected(_ losses: [Double], best: Double) {
      var single = Scores(name: "")
      for loss in losses { single.add(loss, best: best) }
      let count = Double(losses.count)
      agreement.append(single.agreement.reduce(0, +) / count)
      regret.append(single.regret.reduce(0, +) / count)
      within.append(single.within.reduce(0, +) / count)
    }
  }

  /// Judges a router's predictions.
  ///
  /// - Parameters:
  ///   - name: the strategy, for the table.
  ///   - resamples: bootstrap resamples; the same seed gives the same intervals.
  package static func evaluate(
    _ prompts: [EvaluatedPrompt], experts: [String], baselines: Baselines,
    name: String = "router", resamples: Int = 2000, seed: UInt64 = 1
  ) throws(RoutingError) -> RouterEvaluation {
    guard !experts.isEmpty, experts.contains(baselines.bestSingle) else {
      throw .unknownExpert(baselines.bestSingle)
    }
    let used = prompts.filter { prompt in
      experts.allSatisfy { prompt.losses[$0] != nil && prompt.predicted[$0] != nil }
    }
    guard !used.isEmpty else {
      throw .notEnoughData(field: "held-out prompts", needed: 1, found: 0)
    }
    var router = Scores(name: name)
    var random = Scores(name: "random (expected)")
    var domainBest = Scores(name: "best of the domain label")
    var singles = experts.map { Scores(name: "always \($0)") }
    var oracleShares: [String: Double] = [:]
    var routerShares: [String: Double] = [:]
    let share = 1 / Double(used.count)
    for prompt in used {
      let losses = experts.map { prompt.losses[$0] ?? .infinity }
      let best = losses.min() ?? 0
      let chosen = chosenIndex(experts.map { prompt.predicted[$0] ?? .infinity })
      router.add(losses[chosen], best: best)
      random.addExpected(losses, best: best)
      let label = baselines.domainBest[prompt.domain].flatMap { experts.firstIndex(of: $0) }
      let fallback = experts.firstIndex(of: baselines.bestSingle) ?? 0
      domainBest.add(losses[label ?? fallback], best: best)
      for index in experts.indices { singles[index].add(losses[index], best: best) }
      oracleShares[experts[chosenIndex(losses)], default: 0] += share
      routerShares[experts[chosen], default: 0] += share
    }
    let bestSingle = experts.firstIndex(of: baselines.bestSingle) ?? 0
    singles[bestSingle].name += " (best single)"
    let difference = zip(router.regret, singles[bestSingle].regret).map { $0 - $1 }

    let policies = [router, random, domainBest] + singles
    let columns = policies.flatMap { [$0.agreement, $0.regret, $0.within] } + [difference]
    let estimates = bootstrap(columns, resamples: resamples, seed: seed)
    return RouterEvaluation(
      prompts: used.count, incomplete: prompts.count - used.count, experts: experts,
      bestSingle: baselines.bestSingle,
      policies: policies.indices.map { index in
        Policy(
          name: policies[index].name, agreement: estimates[3 * index],
          regret: estimates[3 * index + 1], withinTwoPercent: estimates[3 * index + 2])
      },
      regretDifference: estimates[3 * policies.count],
      domains: domains(used, router: router, single: singles[bestSingle]),
      oracleShares: oracleShares, routerShares: routerShares)
  }

  /// The index of the smallest; of equals the first.
  static func chosenIndex(_ values: [Double]) -> Int {
    values.indices.min { (values[$0], $0) < (values[$1], $1) } ?? 0
  }

  private static func domains(
    _ prompts: [EvaluatedPrompt], router: Scores, single: Scores
  ) -> [Domain] {
    let groups = Dictionary(grouping: prompts.indices) { prompts[$0].domain }
    return groups.keys.sorted().map { domain in
      let members = groups[domain] ?? []
      let mean = { (values: [Double]) in
        members.reduce(0) { $0 + values[$1] } / Double(max(1, members.count))
      }
      return Domain(
        domain: domain, prompts: members.count, agreement: mean(router.agreement),
        regret: mean(router.regret), bestSingleRegret: mean(single.regret))
    }
  }

  /// Means with intervals of several columns over the same rows, from shared resamples.
  package static func bootstrap(
    _ columns: [[Double]], resamples: Int, seed: UInt64
  ) -> [Estimate] {
    let rows = columns.first?.count ?? 0
    guard rows > 0 else { return [] }
    var generator = SeededGenerator(seed: seed)
    var means = columns.map { _ in [Double]() }
    var drawn = Array(repeating: 0, count: rows)
    for _ in 0..<max(1, resamples) {
      for index in 0..<rows { drawn[index] = generator.next(below: rows) }
      for (column, values) in columns.enumerated() {
        let sum = values.withUnsafeBufferPointer { values in
          drawn.reduce(0.0) { $0 + values[$1] }
        }
        means[column].append(sum / Double(rows))
      }
    }
    return columns.indices.map { column in
      let sorted = means[column].sorted()
      let at = { (share: Double) in
        sorted[Int((share * Double(sorted.count - 1)).rounded())]
      }
      return Estimate(
        mean: columns[column].reduce(0, +) / Double(rows), lower: at(0.025), upper: at(0.975))
    }
  }
}
