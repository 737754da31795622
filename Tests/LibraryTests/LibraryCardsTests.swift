import Foundation
import Library
import Testing

/// Cards that can't be used beside others that can.
@Suite struct LibraryCardsTests {
  private func folder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try folder.write("id: good\nfile: a.gguf", to: "good/expert.yaml")
    try folder.write("id: broken\nfile: [", to: "broken/expert.yaml")
    try folder.write("id: typo\nfiel: a.gguf", to: "typo/expert.yaml")
    try folder.write("id: other\nfile: a.gguf", to: "misnamed/expert.yaml")
    try folder.write("id: child\nbase: broken\nadapter: .", to: "child/expert.yaml")
    try folder.write("id: orphan\nbase: nobody\nadapter: .", to: "orphan/expert.yaml")
    try folder.write("id: tuned\nbase: good\nadapter: .", to: "tuned/expert.yaml")
    return folder
  }

  @Test func badOnesAreToldApart() throws {
    let folder = try folder()
    try FileManager.default.createDirectory(
      atPath: folder.path + "/folder/expert.yaml", withIntermediateDirectories: true)
    let cards = try LibraryCards(directory: folder.path)
    #expect(cards.manifests.map(\.card.id) == ["good", "tuned"])
    #expect(
      cards.problems.keys.sorted() == ["broken", "child", "folder", "misnamed", "orphan", "typo"])
    func problem(_ id: String) -> String { cards.problems[id].map { "\($0)" } ?? "" }
    #expect(problem("typo").contains("unknown key 'fiel'; did you mean 'file'?"))
    #expect(problem("broken").contains("line 3, column 1: ") && !problem("broken").contains("["))
    #expect(problem("misnamed").contains("must equal the folder's name"))
    #expect(problem("child").contains("its base 'broken' cannot be used: "))
    #expect(problem("orphan").contains("base 'nobody' is no expert"))
    #expect(try cards.manifest("good").card.id == "good")
    #expect(throws: try #require(cards.problems["typo"])) { try cards.manifest("typo") }
    #expect(throws: LibraryError.unknownExpert(id: "x", known: ["good", "tuned"])) {
      try cards.manifest("x")
    }
  }

  /// A card that names a draft is as good as that.
  @Test func draftsMustBeThere() throws {
    let folder = try folder()
    for (id, draft) in [
      ("fast", "good"), ("slow", "goof"), ("itself", "itself"), ("worse", "broken"),
      ("far", "endpoint"), ("onBase", "tuned"),
    ] {
      try folder.write("id: \(id)\nfile: b.gguf\ndraft: \(draft)", to: "\(id)/expert.yaml")
    }
    try folder.write("id: twice\nbase: good\nadapter: .\ndraft: fast", to: "twice/expert.yaml")
    try folder.write(
      "id: endpoint\nkind: remote\nendpoint: https://api.example.com/v1\nmodel: m",
      to: "endpoint/expert.yaml")
    let cards = try LibraryCards(directory: folder.path)
    func problem(_ id: String) -> String { cards.problems[id].map { "\($0)" } ?? "" }
    #expect(try cards.manifest("fast").draft == "good")
    #expect(
      problem("slow").contains("draft 'goof' is no expert of this library; did you mean 'good'?"))
    #expect(problem("itself").contains("draft 'itself' is the expert itself"))
    #expect(problem("worse").contains("its draft 'broken' cannot be used: "))
    #expect(problem("far").contains("draft 'endpoint' is remote"))
    #expect(problem("onBase").contains("draft 'tuned' is added to a base"))
    #expect(problem("twice").contains("draft is for an expert with a model of its own"))

    // Its files are needed too, and it stays as long as it is.
    try folder.write("", to: "fast/b.gguf")
    let library = ExpertLibrary(manifests: cards.manifests) {
      manifest throws(LibraryError) in
      throw .unloadable(expert: manifest.card.id, problem: "not asked for")
    }
    let obstacle = library.obstacle(to: try cards.manifest("fast"))
    #expect(obstacle?.contains("good/a.gguf is missing") ?? false)
    #expect(
      throws: LibraryError.notRemovable(expert: "good", problem: "it is the draft of fast")
    ) {
      try FileManager.default.removeItem(atPath: folder.path + "/tuned")
      try FileManager.default.removeItem(atPath: folder.path + "/twice")
      try ExpertInstaller(directory: folder.path).remove("good")
    }
  }

  @Test func theLibrarySaysWhyOneIsNotThere() throws {
    let folder = try folder()
    let cards = try LibraryCards(directory: folder.path)
    let library = ExpertLibrary(manifests: cards.manifests, problems: cards.problems) {
      manifest throws(LibraryError) in
      throw .unloadable(expert: manifest.card.id, problem: "not asked for")
    }
    #expect(library.ids == ["good", "tuned"])
    #expect(library.unusable.count == 5)
    #expect(library.unusable.values.allSatisfy { !$0.contains("\n") })
    #expect {
      try library.manifest("broken")
    } throws: {
      guard case .unloadable("broken", let problem)? = $0 as? LibraryError else { return false }
      return problem.contains("broken/expert.yaml")
    }
  }

  /// Neither is in the way of what is done to others.
  @Test func othersCanBeAddedAndRemoved() throws {
    let folder = try folder()
    let installer = ExpertInstaller(directory: folder.path)
    var details = ExpertInstaller.Details()
    details.id = "new"
    let added = try installer.add(
      Models.smolLM + "/SmolLM2-135M-Instruct.Q4_1.gguf", details: details, transfer: .link)
    #expect(added.card.id == "new")
    try installer.remove("new")
    try installer.remove("broken")
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/broken"))
    #expect(throws: LibraryError.unknownExpert(id: "../good", known: ["good", "tuned"])) {
      try installer.remove("../good")
    }
  }
}
