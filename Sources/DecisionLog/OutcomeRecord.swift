import GRDB

/// One row of `outcomes`: the loss of one expert on one prompt. What routers are trained on.
///
/// Unique by prompt, expert and the expert's revision, so that collecting can be resumed and a
/// changed expert is measured anew.
package struct OutcomeRecord: Codable, Equatable, Sendable {
  /// Of which text the loss is.
  package enum Basis: String, Codable, Sendable {
    case reference, prompt
  }

  /// Hexadecimal.
  package var promptSHA256: String
  package var expert: String
  /// A hash of the expert's weights.
  package var revision: String
  package var domain: String
  /// NLL in nats / (ln 2 x UTF-8 bytes of the text).
  package var lossBitsPerByte: Double
  package var bytes: Int
  package var basis: Basis
  /// The file it was collected from, or `feedback`.
  package var source: String
  package var timeMilliseconds: Int64
  /// Mean number of experts that the gates of this expert, a mixture, made active for a token of the
  /// prompt; nil for others.
  package var activeExperts: Double?

  package enum CodingKeys: String, CodingKey {
    case promptSHA256 = "prompt_sha256"
    case expert, revision, domain
    case lossBitsPerByte = "loss_bits_per_byte"
    case bytes, basis, source
    case timeMilliseconds = "time_ms"
    case activeExperts = "active_experts"
  }

  package init(
    promptSHA256: String, expert: String, revision: String, domain: String,
    lossBitsPerByte: Double, bytes: Int, basis: Basis, source: String, timeMilliseconds: Int64,
    activeExperts: Double? = nil
  ) {
    self.promptSHA256 = promptSHA256
    self.expert = expert
    self.revision = revision
    self.domain = domain
    self.lossBitsPerByte = lossBitsPerByte
    self.bytes = bytes
    self.basis = basis
    self.source = source
    self.timeMilliseconds = timeMilliseconds
    self.activeExperts = activeExperts
  }
}

extension OutcomeRecord: FetchableRecord, PersistableRecord {
  package static var databaseTableName: String { "outcomes" }
  package static var persistenceConflictPolicy: PersistenceConflictPolicy {
    PersistenceConflictPolicy(insert: .replace, update: .replace)
  }
}

/// What an outcome is known by.
package struct OutcomeKey: Hashable, Sendable {
  package var promptSHA256: String
  package var expert: String
  package var revision: String

  package init(promptSHA256: String, expert: String, revision: String) {
    self.promptSHA256 = promptSHA256
    self.expert = expert
    self.revision = revision
  }
}

/// One row of `outcome_prompts`: the text that outcomes were measured on, for embedding it again.
package struct OutcomePrompt: Codable, Equatable, Sendable {
  package var promptSHA256: String
  package var text: String
  package var domain: String
  package var source: String

  package enum CodingKeys: String, CodingKey {
    case promptSHA256 = "prompt_sha256"
    case text, domain, source
  }

  package init(promptSHA256: String, text: String, domain: String, source: String) {
    self.promptSHA256 = promptSHA256
    self.text = text
    self.domain = domain
    self.source = source
  }
}

extension OutcomePrompt: FetchableRecord, PersistableRecord {
  package static var databaseTableName: String { "outcome_prompts" }
  package static var persistenceConflictPolicy: PersistenceConflictPolicy {
    PersistenceConflictPolicy(insert: .replace, update: .replace)
  }
}
