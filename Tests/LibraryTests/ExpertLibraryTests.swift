import Library
import Testing

/// Residency: each expert is loaded once, at its first request.
@Suite struct ExpertLibraryTests {
  /// A library of `a` and `b` with weights, and `c` without.
  private func library(_ loader: FakeLoader, in folder: TemporaryFolder) throws -> ExpertLibrary {
    for id in ["b", "a", "c"] {
      try folder.write("id: \(id)\nfile: w.gguf", to: "\(id)/expert.yaml")
      if id != "c" { try folder.write("weights", to: "\(id)/w.gguf") }
    }
    return ExpertLibrary(manifests: try ExpertLibrary.manifests(in: folder.path)) {
      manifest throws(LibraryError) in try await loader.load(manifest)
    }
  }

  /// Waits until a load has begun.
  private func firstLoad(of loader: FakeLoader) async {
    while loader.loads == 0 { await Task.yield() }
  }

  @Test func manyRequestsLoadOnce() async throws {
    let folder = try TemporaryFolder()
    let loader = FakeLoader(isOpen: false)
    let library = try library(loader, in: folder)
    #expect(await library.resident.isEmpty)
    let experts = try await withThrowingTaskGroup(of: ObjectIdentifier.self) { group in
      for _ in 0..<50 {
        group.addTask { ObjectIdentifier(try await library.expert("a")) }
      }
      await firstLoad(of: loader)
      #expect(await library.resident == ["a"])
      loader.open()
      return try await group.reduce(into: Set()) { $0.insert($1) }
    }
    #expect(experts.count == 1)
    #expect(loader.loads == 1)
    _ = try await library.expert("b")
    #expect(loader.loads == 2)
    #expect(await library.resident == ["a", "b"])
  }

  @Test func failureIsNotRemembered() async throws {
    let folder = try TemporaryFolder()
    let loader = FakeLoader(failures: 1, isOpen: false)
    let library = try library(loader, in: folder)
    let failures = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<20 {
        group.addTask {
          do {
            _ = try await library.expert("a")
            return false
          } catch {
            return error as? LibraryError == .unloadable(expert: "a", problem: "broken")
          }
        }
      }
      await firstLoad(of: loader)
      loader.open()
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    // Those that came while it was tried fail; a late one may have started the next try.
    #expect(failures >= 1)
    #expect(try await library.expert("a").card.id == "a")
    #expect(loader.loads == 2)
  }

  @Test func unknownAndMissing() async throws {
    let folder = try TemporaryFolder()
    let loader = FakeLoader()
    let library = try library(loader, in: folder)
    #expect(library.ids == ["a", "b", "c"])
    await #expect(throws: LibraryError.unknownExpert(id: "x", known: ["a", "b", "c"])) {
      _ = try await library.expert("x")
    }
    let path = folder.path + "/c/w.gguf"
    await #expect(throws: LibraryError.missingFile(expert: "c", path: path)) {
      _ = try await library.expert("c")
    }
    #expect(library.obstacle(to: try library.manifest("a")) == nil)
    #expect(library.obstacle(to: try library.manifest("c"))?.contains(path) == true)
    #expect(loader.loads == 0)
    // The file arrives while the server runs.
    try folder.write("weights", to: "c/w.gguf")
    #expect(try await library.expert("c").card.id == "c")
  }

  @Test(arguments: [true, false]) func shutDownEndsAndRefuses(finishing: Bool) async throws {
    let folder = try TemporaryFolder()
    let loader = FakeLoader()
    let library = try library(loader, in: folder)
    let expert = try #require(try await library.expert("a") as? FakeExpert)
    await library.shutDown(finishing: finishing)
    #expect(expert.shutDowns == [finishing])
    await #expect(throws: LibraryError.self) { _ = try await library.expert("b") }
    #expect(loader.loads == 1)
  }

  @Test func shutDownEndsAnExpertThatIsBeingLoaded() async throws {
    let folder = try TemporaryFolder()
    let loader = FakeLoader(isOpen: false)
    let library = try library(loader, in: folder)
    async let loading = library.expert("a")
    await firstLoad(of: loader)
    async let ending: Void = library.shutDown(finishing: true)
    loader.open()
    await ending
    #expect((try await loading as? FakeExpert)?.shutDowns == [true])
  }
}
