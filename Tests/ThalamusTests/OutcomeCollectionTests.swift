import DecisionLog
import Foundation
import Library
import Testing
import Thalamus

/// Losses of experts on prompts, measured once each.
@Suite(.serialized) struct OutcomeCollectionTests {
  private static let rows = ["The senses report to it.", "It rains in the north."].map {
    PromptRow(id: $0, domain: "test", prompt: $0)
  }

  private func collection(
    _ ids: [String], in folder: TemporaryFolder
  ) throws -> OutcomeCollection {
    var options = ComputeOptions()
    options.threads = 2
    options.keyValueBytes = 128 << 20
    let manifests = try ExpertLibrary.manifests(in: folder.path)
    return OutcomeCollection(
      log: DecisionLog(.init(path: folder.path + "/decisions.sqlite")),
      loader: try LocalExpertLoader(options),
      manifests: ids.compactMap { id in manifests.first { $0.card.id == id } })
  }

  /// How many prompts are already measured when an expert's turn comes.
  private func doneAtFirst(_ collection: OutcomeCollection) async throws -> Int? {
    var done: [Int] = []
    let problems = try await collection.run(Self.rows, source: "test") { done.append($0.done) }
    #expect(problems.isEmpty)
    #expect(done.last == Self.rows.count)
    return done.first
  }

  /// An adapter that breaks its base holds up no other, and no later run.
  @Test func aLossThatIsNoNumberIsAProblem() async throws {
    let folder = try TemporaryFolder()
    try folder.linkBase()
    try folder.writeAdapter("broken", 1e30)
    try folder.writeAdapter("good", 0.05)
    let collection = try collection(["broken", "good"], in: folder)
    let problems = try await collection.run(Self.rows, source: "test") { _ in }
    #expect(problems.map(\.expert) == ["broken", "broken"])
    #expect(problems.allSatisfy { $0.problem.contains("bits per byte") }, "\(problems)")
    let exported = try await collection.export(Self.rows)
    #expect(exported.compactMap { $0.losses?.keys.sorted() } == [["good"], ["good"]])
    try await collection.log.close()
  }

  /// Whether gates count or not, what was measured is measured.
  @Test(arguments: [false, true]) func aMixtureIsMeasuredOnce(perTask: Bool) async throws {
    let folder = try TemporaryFolder()
    try folder.linkBase()
    try folder.writeAdapter("one", 0.05)
    try folder.writeAdapter("two", 0.08)
    try folder.writeMixture("mix", of: ["one", "two"], perTask: perTask)
    let collection = try collection(["mix"], in: folder)
    #expect(try await doneAtFirst(collection) == 0)
    #expect(try await doneAtFirst(collection) == Self.rows.count)
    let exported = try await collection.export(Self.rows)
    #expect(exported.count == Self.rows.count)
    #expect(exported.allSatisfy { ($0.activeExperts?["mix"] == nil) == perTask })
    try await collection.log.close()
  }

  /// What was measured before gates were counted is measured again, once.
  @Test func anOutcomeWithoutItsGatesIsMeasuredAgain() async throws {
    let folder = try TemporaryFolder()
    try folder.linkBase()
    try folder.writeAdapter("one", 0.05)
    try folder.writeMixture("mix", of: ["one", "one"], perTask: false)
    let collection = try collection(["mix"], in: folder)
    _ = try await doneAtFirst(collection)
    var outcomes = try await collection.log.outcomes()
    for index in outcomes.indices { outcomes[index].activeExperts = nil }
    try await collection.log.write(outcomes: outcomes)
    #expect(try await doneAtFirst(collection) == 0)
    #expect(try await doneAtFirst(collection) == Self.rows.count)
    try await collection.log.close()
  }
}
