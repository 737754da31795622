import Foundation

extension RouterEvaluation {
  /// The tables for a terminal or a README.
  package var markdown: String {
    var lines = [
      "\(prompts) held-out prompts, \(experts.count) experts"
        + (incomplete > 0 ? " (\(incomplete) prompts left out: incomplete)" : "")
        + ". In brackets: the middle 95 % of 2000 bootstrap resamples.", "",
      "| choice | agrees with the best | mean regret, bits per byte | within 2 % of the best |",
      "|---|---|---|---|",
    ]
    for policy in policies {
      lines.append(
        "| \(policy.name.markdownCell) | \(percent(policy.agreement)) | "
          + "\(number(policy.regret)) | \(percent(policy.withinTwoPercent)) |")
    }
    lines += [
      "",
      "Regret of \(policies.first?.name ?? "router") minus that of always \(bestSingle), paired: "
        + number(regretDifference) + ".", "",
      "| domain | prompts | agrees | mean regret | best single's |", "|---|---|---|---|---|",
    ]
    for domain in domains {
      lines.append(
        "| \(domain.domain.markdownCell) | \(domain.prompts) | \(percent(domain.agreement)) | "
          + "\(digits(domain.regret, 4)) | \(digits(domain.bestSingleRegret, 4)) |")
    }
    lines += ["", "| expert | truly the best | chosen |", "|---|---|---|"]
    for expert in experts {
      lines.append(
        "| \(expert.markdownCell) | \(percent(oracleShares[expert] ?? 0)) | "
          + "\(percent(routerShares[expert] ?? 0)) |")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func percent(_ share: Double) -> String { "\(digits(100 * share, 1)) %" }

  private func percent(_ estimate: Estimate) -> String { estimate.percent }

  private func number(_ estimate: Estimate) -> String { estimate.text }

  private func digits(_ value: Double, _ count: Int) -> String {
    String(format: "%.\(count)f", value)
  }
}

extension RouterEvaluation.Estimate {
  /// The mean, and in brackets the interval.
  var text: String { String(format: "%.4f [%.4f, %.4f]", mean, lower, upper) }

  /// The same of a share.
  var percent: String {
    String(format: "%.1f %% [%.1f, %.1f]", 100 * mean, 100 * lower, 100 * upper)
  }
}

extension String {
  /// Without what would break a row of a Markdown table.
  var markdownCell: String {
    replacing("|", with: "\\|").replacing("\n", with: " ")
  }
}
