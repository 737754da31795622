import DecisionLog
import Foundation
import Library

/// Measures the loss of every expert given to it on every prompt of a file.
package struct OutcomeCollection: Sendable {
  package let log: DecisionLog
  package let loader: LocalExpertLoader
  package let manifests: [ExpertManifest]
  private let remote: RemoteExperts

  package init(log: DecisionLog, loader: LocalExpertLoader, manifests: [ExpertManifest]) {
    self.log = log
    self.loader = loader
    self.manifests = manifests
    remote = RemoteExperts(manifests)
  }

  private func load(_ manifest: ExpertManifest) async throws(LibraryError) -> any Expert {
    if let endpoint = manifest.endpoint { return try remote.expert(manifest, endpoint) }
    return try await loader.load(manifest)
  }

  /// How far a collection is.
  package struct Progress: Sendable {
    package let done: Int
    package let total: Int
    package let expert: String
  }

  /// Measures what has not been measured yet, expert by expert, and stores it as it goes: a run
  /// that is ended goes on where it stopped.
  ///
  /// - Returns: prompts that an expert could not be measured on (longer than its context, say, or
  ///   with a loss that is no number).
  package func run(
    _ rows: [PromptRow], source: String, progress: (Progress) -> Void
  ) async throws -> [(prompt: String, expert: String, problem: String)] {
    let all = try await log.outcomeKeys()
    let gated = try await log.outcomeKeys(withActiveExperts: true)
    var problems: [(prompt: String, expert: String, problem: String)] = []
    var done = 0
    let total = rows.count * manifests.count
    for manifest in manifests {
      let id = manifest.card.id
      let revision = try manifest.revision()
      func unmeasured(_ known: Set<OutcomeKey>) -> [PromptRow] {
        rows.filter {
          !known.contains(OutcomeKey(promptSHA256: $0.hash, expert: id, revision: revision))
        }
      }
      // What was measured of a mixture before its gates were counted is measured again; of one whose
      // gates nothing can be counted, which only its model says, there will never be more.
      var missing = unmeasured(manifest.isMixture ? gated : all)
      let expert = missing.isEmpty ? nil : try await load(manifest)
      let countsGates =
        manifest.isMixture && (expert as? LocalExpert)?.countsActiveExperts ?? false
      if !countsGates { missing = unmeasured(all) }
      done += rows.count - missing.count
      progress(Progress(done: done, total: total, expert: id))
      guard let expert else { continue }
      if manifest.endpoint != nil {
        // What a prompt's own flags forbid holds here too.
        let isKept = { (row: PromptRow) in
          row.localOnly == true
            || PreparedPrompt(.prompt(row.prompt)).flags.constraints.localOnly == true
        }
        for row in missing where isKept(row) {
          problems.append((row.id, id, "it stays on this machine (local_only)"))
        }
        missing.removeAll(where: isKept)
      }
      for start in stride(from: 0, to: missing.count, by: Self.batch) {
        let batch = missing[start..<min(start + Self.batch, missing.count)]
        let measured = await withTaskGroup(of: (PromptRow, Result<Measured, any Error>).self) {
          group in
          for row in batch {
            group.addTask {
              do {
                return (row, .success(try await Self.measure(row, by: expert, countsGates)))
              } catch {
                return (row, .failure(error))
              }
            }
          }
          return await group.reduce(into: []) { $0.append($1) }
        }
        var records: [OutcomeRecord] = []
        for (row, result) in measured {
          switch result {
          case .success(let measured) where !(0..<Double.infinity).contains(measured.loss):
            problems.append((row.id, id, "its loss is \(measured.loss) bits per byte"))
          case .success(let measured):
            records.append(
              OutcomeRecord(
                promptSHA256: row.hash, expert: id, revision: revision, domain: row.domain,
                lossBitsPerByte: measured.loss, bytes: (row.answer ?? row.prompt).utf8.count,
                basis: row.answer == nil ? .prompt : .reference, source: source,
                timeMilliseconds: Int64(Date().timeIntervalSince1970 * 1000),
                activeExperts: measured.activeExperts))
          case .failure(let error):
            problems.append((row.id, id, "\(error)"))
          }
        }
        try await log.write(outcomes: records)
        done += batch.count
        progress(Progress(done: done, total: total, expert: id))
      }
      await expert.shutDown(finishing: true)
    }
    return problems
  }

  private struct Measured: Sendable {
    let loss: Double
    let activeExperts: Double?
  }

  private static func measure(
    _ row: PromptRow, by expert: any Expert, _ countsGates: Bool
  ) async throws -> Measured {
    let loss = try await expert.loss(prompt: row.prompt, answer: row.answer)
    guard countsGates, let expert = expert as? LocalExpert else {
      return Measured(loss: loss, activeExperts: nil)
    }
    // Of the text that the router sees, as it is asked for when a prompt comes.
    let text = PreparedPrompt(.prompt(row.prompt)).routingText
    return Measured(loss: loss, activeExperts: try await expert.meanActiveExperts(of: text))
  }

  /// Prompts measured at a time: enough to fill the model's batches, few enough to lose little.
  private static let batch = 16

  /// The prompts with the losses that were measured of the experts as they are now.
  package func export(_ rows: [PromptRow]) async throws -> [PromptRow] {
    var revisions: [String: String] = [:]
    for manifest in manifests {
      revisions[manifest.card.id] = try manifest.revision()
    }
    var losses: [String: [String: Double]] = [:]
    var active: [String: [String: Double]] = [:]
    for outcome in try await log.outcomes(revisions: revisions) {
      losses[outcome.promptSHA256, default: [:]][outcome.expert] = outcome.lossBitsPerByte
      if let mean = outcome.activeExperts {
        active[outcome.promptSHA256, default: [:]][outcome.expert] = mean
      }
    }
    return rows.compactMap { row in
      guard let found = losses[row.hash] else { return nil }
      var row = row
      row.split = row.effectiveSplit
      // Six digits say more than the measurement does.
      row.losses = found.mapValues { ($0 * 1e6).rounded() / 1e6 }
      row.activeExperts = active[row.hash]?.mapValues { ($0 * 1e6).rounded() / 1e6 }
      return row
    }
  }
}
