import DecisionLog
import Foundation
import GRDB
import Testing

@Suite struct DecisionLogFailureTests {
  @Test func aCorruptFileIsReportedAndTheLogRecoversWhenItIsGone() async throws {
    let scratch = try Scratch()
    try Data(repeating: 0x41, count: 8192).write(to: URL(fileURLWithPath: scratch.path))
    let log = DecisionLog(.init(path: scratch.path))
    #expect(log.health == .corrupt(path: scratch.path))
    let record = Made.decision()
    try log.append(record)
    await #expect(throws: DecisionLogError.corrupt(path: scratch.path)) { try await log.flush() }
    await #expect(throws: DecisionLogError.self) { try await log.decisionCount() }
    #expect(log.counters.failures >= 2 && log.counters.waiting == 1)

    try FileManager.default.removeItem(atPath: scratch.path)
    try await log.flush()
    #expect(log.health == nil)
    #expect(try await log.decision(id: record.id) == record)
    try await log.close()
  }

  @Test func closingGivesUpInTimeAndSaysWhatIsLost() async throws {
    let scratch = try Scratch()
    try Data(repeating: 0x41, count: 8192).write(to: URL(fileURLWithPath: scratch.path))
    let log = DecisionLog(.init(path: scratch.path))
    try log.append(Made.decision())
    let error = await #expect(throws: DecisionLogError.self) {
      try await log.close(timeoutSeconds: 0.2)
    }
    guard case .notWritten(entries: 1, reason: _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(log.counters.lost == 1)
  }

  @Test func aLockedDatabaseIsWaitedFor() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path, busyTimeoutSeconds: 0.05))
    var configuration = Configuration()
    configuration.allowsUnsafeTransactions = true
    let other = try DatabaseQueue(path: scratch.path, configuration: configuration)
    try await other.writeWithoutTransaction { db in
      try db.execute(sql: "BEGIN IMMEDIATE")
    }
    try log.append(Made.decision())
    await #expect(throws: DecisionLogError.locked) { try await log.flush() }
    #expect(log.health == .locked)
    // Reading goes on while another writes.
    #expect(try await log.decisionCount() == 0)
    try await other.writeWithoutTransaction { db in try db.execute(sql: "ROLLBACK") }
    try await log.flush()
    #expect(log.health == nil)
    #expect(try await log.decisionCount() == 1)
    try await log.close()
  }

  @Test func aFolderInPlaceOfTheFileIsATypedError() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.folder))
    guard case .cannotOpen = log.health else {
      Issue.record("\(String(describing: log.health))")
      return
    }
    try await log.close()
  }

  @Test func aFullDatabaseIsATypedErrorAndRetried() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path))
    try log.append(Made.decision())
    try await log.flush()
    try await log.limitPages(by: 0)
    var big = Made.decision(1)
    big.promptText = String(repeating: "x", count: 500_000)
    try log.append(big)
    await #expect(throws: DecisionLogError.diskFull) { try await log.flush() }
    #expect(log.health == .diskFull)
    try await log.limitPages(by: 10_000)
    try await log.flush()
    #expect(log.health == nil)
    #expect(try await log.decisionCount() == 2)
    try await log.close()
  }

  @Test func aNewerSchemaIsLeftAlone() async throws {
    let scratch = try Scratch()
    try await DecisionLog(.init(path: scratch.path)).close()
    let queue = try DatabaseQueue(path: scratch.path)
    try await queue.write { db in
      try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('99: from the future')")
    }
    try queue.close()
    let log = DecisionLog(.init(path: scratch.path))
    #expect(log.health == .newerSchema(path: scratch.path))
    try await log.close()
  }

  @Test func theFileIsItsOwnersAlone() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.folder + "/new/log.sqlite"))
    try log.append(Made.decision())
    try await log.flush()
    for name in ["log.sqlite", "log.sqlite-wal"] {
      let attributes = try FileManager.default.attributesOfItem(
        atPath: scratch.folder + "/new/" + name)
      #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
    }
    try await log.close()
  }
}
