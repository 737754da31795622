import Foundation
import Library
import Synchronization
import Testing

/// Models are let go where there is no room for them, or nobody asks for them; nobody's question is lost by it.
@Suite struct ResidencyTests {
  private static let size = 100

  /// Experts of 100 bytes each, by their ids; `x-on-a` is an adapter on `a`.
  private func library(
    _ ids: [String], in folder: TemporaryFolder, memory: Int,
    _ change: (inout ResidencyOptions) -> Void = { _ in }, loader: FakeLoader = FakeLoader(),
    adapterLoader: FakeLoader = FakeLoader()
  ) throws -> ExpertLibrary {
    for id in ids {
      if let base = id.split(separator: "-").dropFirst(2).first {
        try folder.write(
          "id: \(id)\nbase: \(base)\nadapter: w.safetensors", to: "\(id)/expert.yaml")
        try folder.write("adapter", to: "\(id)/w.safetensors")
        try folder.write("{}", to: "\(id)/adapter_config.json")
        try folder.write("adapter", to: "\(id)/adapter_model.safetensors")
      } else {
        try folder.write("id: \(id)\nfile: w.gguf", to: "\(id)/expert.yaml")
        try folder.write(String(repeating: "w", count: Self.size), to: "\(id)/w.gguf")
      }
    }
    var options = ResidencyOptions()
    options.memoryBytes = memory
    change(&options)
    return ExpertLibrary(
      manifests: try ExpertLibrary.manifests(in: folder.path), residency: options
    ) { manifest throws(LibraryError) in
      let isAdded = manifest.addition != nil
      let expert = try await (isAdded ? adapterLoader : loader).load(manifest)
      return FakeExpert(expert.card, residentBytes: Self.size)
    }
  }

  private func fake(_ library: ExpertLibrary, _ id: String) async throws -> FakeExpert {
    try #require(try await library.expert(id) as? FakeExpert)
  }

  @Test func theOneAskedLongestAgoMakesRoom() async throws {
    let folder = try TemporaryFolder()
    let library = try library(["a", "b", "c"], in: folder, memory: 2 * Self.size)
    let a = try await fake(library, "a")
    let b = try await fake(library, "b")
    #expect(await library.resident == ["a", "b"])
    _ = try await library.expert("a")
    _ = try await library.expert("c")
    #expect(await library.resident == ["a", "c"])
    #expect(b.shutDowns == [true])
    #expect(a.shutDowns.isEmpty)
    #expect(await library.unloads == ["b": 1])
    #expect(await library.residentBytes == ["a": Self.size, "c": Self.size])
    // Loaded again when it is asked: another one.
    #expect(try await fake(library, "b") !== b)
    #expect(await library.resident == ["b", "c"])
  }

  @Test func whoAnswersSomebodyGoesLast() async throws {
    let folder = try TemporaryFolder()
    let library = try library(["a", "b", "c"], in: folder, memory: 2 * Self.size)
    let a = try await fake(library, "a")
    let b = try await fake(library, "b")
    a.isWorking = true
    _ = try await library.expert("c")
    #expect(b.shutDowns == [true])
    #expect(await library.resident == ["a", "c"])
  }

  @Test func aModelLargerThanTheLimitIsLoadedAlone() async throws {
    let folder = try TemporaryFolder()
    let library = try library(["a", "b"], in: folder, memory: Self.size / 2)
    let a = try await fake(library, "a")
    #expect(await library.resident == ["a"])
    _ = try await library.expert("b")
    #expect(await library.resident == ["b"])
    #expect(a.shutDowns == [true])
  }

  @Test func expertsOnAModelShareItsRoomAndGoWithIt() async throws {
    let folder = try TemporaryFolder()
    let library = try library(
      ["a", "x-on-a", "y-on-a", "b"], in: folder, memory: Self.size)
    var onA: [FakeExpert] = []
    for id in ["a", "x-on-a", "y-on-a"] { onA.append(try await fake(library, id)) }
    #expect(await library.resident == ["a", "x-on-a", "y-on-a"])
    _ = try await library.expert("b")
    #expect(await library.resident == ["b"])
    for expert in onA { #expect(expert.shutDowns == [true]) }
    #expect(await library.unloads == ["a": 1])
  }

  /// A model isn't ended under those who begin with it.
  @Test func usesAreWaitedFor() async throws {
    let folder = try TemporaryFolder()
    let library = try library(["a", "b"], in: folder, memory: Self.size)
    let a = try await fake(library, "a")
    let (isOpen, open) = AsyncStream.makeStream(of: Void.self)
    async let use: Bool = library.use("a") { expert in
      for await _ in isOpen { break }
      return (expert as? FakeExpert)?.shutDowns.isEmpty ?? false
    }
    while await !library.isInUse("a") { await Task.yield() }
    async let other = library.expert("b")
    while await library.resident != ["b"] { await Task.yield() }
    #expect(a.shutDowns.isEmpty)
    open.finish()
    #expect(try await use)
    #expect(try await other.card.id == "b")
    #expect(a.shutDowns == [true])
  }

  /// More models than there is room for, asked by many at a time: all are answered, and never more are there.
  @Test func manyAskForMoreThanFits() async throws {
    let folder = try TemporaryFolder()
    let ids = ["a", "b", "c", "d", "e"]
    let library = try library(ids, in: folder, memory: 2 * Self.size)
    let served = try await withThrowingTaskGroup(of: String.self) { group in
      for index in 0..<200 {
        group.addTask {
          try await library.use(ids[index * 7 % 5]) { expert in
            #expect((expert as? FakeExpert)?.shutDowns.isEmpty == true)
            await Task.yield()
            return expert.card.id
          }
        }
      }
      return try await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }
    #expect(served == ["a": 40, "b": 40, "c": 40, "d": 40, "e": 40])
    #expect(await library.residentBytes.count <= 2)
  }

  @Test func whatNobodyAsksForGoes() async throws {
    let folder = try TemporaryFolder()
    let library = try library(["a", "b", "c"], in: folder, memory: .max) {
      $0.unloadAfter = .seconds(36_000)
      $0.kept = ["c"]
    }
    let a = try await fake(library, "a")
    let b = try await fake(library, "b")
    _ = try await library.expert("c")
    await library.unloadUnused(now: .now + .seconds(18_000))
    #expect(await library.resident == ["a", "b", "c"])
    b.isWorking = true
    await library.unloadUnused(now: .now + .seconds(72_000))
    #expect(await library.resident == ["b", "c"])
    while a.shutDowns.isEmpty { await Task.yield() }
    try await library.unload("b")
    #expect(await library.resident == ["c"])
    await #expect(throws: LibraryError.self) { try await library.unload("x") }
    await library.shutDown(finishing: true)
    #expect(b.shutDowns == [true])
  }

  /// An adapter whose model was let go meanwhile doesn't pass for the model that is loaded next.
  @Test func anAdapterThatCameTooLate() async throws {
    let folder = try TemporaryFolder()
    let late = FakeLoader(isOpen: false)
    let library = try library(
      ["a", "x-on-a", "b"], in: folder, memory: Self.size, adapterLoader: late)
    let a = try await fake(library, "a")
    async let x = library.expert("x-on-a")
    while late.loads == 0 { await Task.yield() }
    async let b = library.expert("b")
    while await library.resident != ["b"] { await Task.yield() }
    async let again = library.expert("a")
    while await library.resident != ["a", "b"] { await Task.yield() }
    late.open()
    #expect(try await [x.card.id, b.card.id, again.card.id] == ["x-on-a", "b", "a"])
    #expect(try await again !== a)
    #expect(a.shutDowns == [true])
    #expect(await library.residentBytes == ["a": Self.size])
    #expect(try await (b as? FakeExpert)?.shutDowns == [true])
  }

  @Test func loadingTakesTimeUntilItIsDone() async throws {
    let folder = try TemporaryFolder()
    let library = try library(["a", "x-on-a", "b"], in: folder, memory: Self.size)
    for id in ["a", "x-on-a", "b"] {
      #expect(library.loadMilliseconds(of: id) == Double(Self.size) / 500_000)
    }
    _ = try await library.expert("x-on-a")
    #expect(library.loadMilliseconds(of: "a") == 0)
    #expect(library.loadMilliseconds(of: "x-on-a") == 0)
    #expect(library.loadMilliseconds(of: "unknown") == 0)
    _ = try await library.expert("b")
    // As it was measured.
    let measured = library.loadMilliseconds(of: "a")
    #expect(measured > 0 && measured != Double(Self.size) / 500_000)
    #expect(library.loadMilliseconds(of: "b") == 0)
  }

  /// What can't be loaded leaves no room taken.
  @Test func aFailedLoadTakesNoRoom() async throws {
    let folder = try TemporaryFolder()
    let loader = FakeLoader(failures: 1)
    let library = try library(["a", "b"], in: folder, memory: Self.size, loader: loader)
    await #expect(throws: LibraryError.self) { _ = try await library.expert("a") }
    let b = try await fake(library, "b")
    #expect(await library.resident == ["b"])
    #expect(b.shutDowns.isEmpty)
  }
}
