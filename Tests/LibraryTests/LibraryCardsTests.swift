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
