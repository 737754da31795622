import Foundation
import GRDB

/// The log of decisions, and what came of them, in an SQLite file.
///
/// ```swift
/// let log = DecisionLog(.init(path: "data/thalamus.sqlite"))
/// try log.append(record)                 // returns at once
/// try log.complete(completion)
/// let page = try await log.decisions(.init(expert: "gemma3-270m"))
/// try await log.close()
/// ```
/// Entries are taken into a bounded queue and written by a thread of the log's own, one transaction
/// for all that came within ``Options/batchSeconds``.
///
/// - What is lost when: after ``close(timeoutSeconds:)`` nothing that was accepted. After SIGKILL at
///   most what was accepted within the last batch's time; the write-ahead log keeps the file intact.
///   The same after a loss of power, since each batch is synced (`synchronous = FULL`).
/// - Back-pressure: while the database cannot be written, batches are retried for ever (after 0.1 s,
///   then up to 5 s apart) and entries wait. When the queue is full, ``append(_:)`` throws
///   ``DecisionLogError/queueFull(entries:)`` and counts the entry as refused: nothing is lost
///   silently, no accepted entry is ever thrown out, and no request ever waits for the disk.
/// - An entry that the database refuses for what it is (a second row with one id, feedback on a
///   decision that does not exist) is counted as rejected; the others of its batch are written.
package final class DecisionLog: Sendable {
  package struct Options: Sendable {
    package var path: String
    package var promptPolicy: PromptPolicy
    /// How long an entry waits for others before its batch is written.
    package var batchSeconds: Double
    package var batchEntries: Int
    /// Bounds of what may wait.
    package var maximumEntries: Int
    package var maximumBytes: Int
    package var busyTimeoutSeconds: Double

    package init(
      path: String, promptPolicy: PromptPolicy = .store, batchSeconds: Double = 0.2,
      batchEntries: Int = 512, maximumEntries: Int = 65_536, maximumBytes: Int = 64 << 20,
      busyTimeoutSeconds: Double = 1
    ) {
      self.path = path
      self.promptPolicy = promptPolicy
      self.batchSeconds = batchSeconds.isFinite ? max(0, batchSeconds) : 0.2
      self.batchEntries = max(1, batchEntries)
      self.maximumEntries = max(1, maximumEntries)
      self.maximumBytes = max(1, maximumBytes)
      self.busyTimeoutSeconds = busyTimeoutSeconds.isFinite ? max(0, busyTimeoutSeconds) : 1
    }
  }

  /// What happened since the log was opened.
  package struct Counters: Equatable, Sendable {
    package var accepted = 0
    /// Includes those rejected.
    package var written = 0
    package var batches = 0
    /// Not accepted: the queue was full, or the log closed.
    package var refused = 0
    /// Accepted, and refused by the database for what they are.
    package var rejected = 0
    /// Attempts to open or to write that failed.
    package var failures = 0
    /// Accepted and not written when the log had to close.
    package var lost = 0
    /// Accepted and not yet written.
    package var waiting = 0
    package var lastRejection: String?
  }

  package let options: Options
  private let writer: LogWriter

  /// Opens the file, or starts without it: see ``health``. Opening is retried with each batch.
  package init(_ options: Options) {
    self.options = options
    writer = LogWriter(options)
  }

  deinit { writer.abandon() }

  /// The error that stands in the way of writing now; nil where all is well.
  package var health: DecisionLogError? { writer.snapshot().failure }

  package var counters: Counters { writer.snapshot().counters }

  private static let maximumErrorBytes = 10_000

  // MARK: - Writing, off the caller's path

  /// Takes a decision, with no more of its prompt than the policy and the log's bound allow.
  package func append(_ record: DecisionRecord) throws(DecisionLogError) {
    try writer.append(.decision(record.redacted(by: options.promptPolicy)))
  }

  /// Takes what came of a decision that was appended before.
  package func complete(_ completion: DecisionCompletion) throws(DecisionLogError) {
    var completion = completion
    completion.error = completion.error?.storable(maximumBytes: Self.maximumErrorBytes)
    try writer.append(.completion(completion))
  }

  package func append(_ record: FeedbackRecord) throws(DecisionLogError) {
    var record = record
    record.comment = record.comment?.storable()
    try writer.append(.feedback(record))
  }

  package func append(_ record: OutcomeRecord) throws(DecisionLogError) {
    try writer.append(.outcome(record))
  }

  /// Takes an expert's averages; the latest win.
  package func update(_ record: ExpertStatisticsRecord) throws(DecisionLogError) {
    try writer.append(.statistics(record))
  }

  /// Returns when all that was accepted before this call is written; throws the error in the way
  /// after one more attempt (the entries stay and are retried).
  package func flush() async throws(DecisionLogError) {
    if let error = await writer.flush() { throw error }
  }

  /// Writes what waits and closes the file. Throws where not all could be written in time.
  package func close(timeoutSeconds: Double = 5) async throws(DecisionLogError) {
    if let error = await writer.close(timeoutSeconds: timeoutSeconds) { throw error }
  }

  // MARK: - Direct access for queries and tools

  func read<T: Sendable>(
    _ query: @escaping @Sendable (Database) throws -> T
  ) async throws(DecisionLogError) -> T {
    let pool = try writer.reader()
    do {
      return try await pool.read(query)
    } catch {
      throw DecisionLogError(error, path: options.path)
    }
  }

  func write<T: Sendable>(
    _ updates: @escaping @Sendable (Database) throws -> T
  ) async throws(DecisionLogError) -> T {
    let pool = try writer.reader()
    do {
      return try await pool.write(updates)
    } catch {
      throw DecisionLogError(error, path: options.path)
    }
  }
}

extension DecisionLog {
  /// Allows the file this many pages more than it has, as a disk that fills up would. For tests.
  package func limitPages(by extra: Int) async throws(DecisionLogError) {
    try await write { db in
      let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
      _ = try Int.fetchOne(db, sql: "PRAGMA max_page_count = \(max(1, pages + extra))")
    }
  }
}
