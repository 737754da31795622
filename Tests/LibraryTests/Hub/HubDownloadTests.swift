import Foundation
import HTTP
import Library
import Routing
import Synchronization
import Testing

/// Models that a hub of the test's own has.
@Suite(.serialized) struct HubDownloadTests {
  private static let content = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 13 ^ $0 >> 9) }
  private static let name = "m-Q8_0.gguf"
  private let models: TemporaryFolder

  init() throws { models = try TemporaryFolder() }

  private func reference(_ text: String = "hf:a/b") throws -> HubReference {
    try #require(try HubReference(text))
  }

  /// Fetches the one file, as the list has it.
  private func fetch(_ client: HubClient) async throws -> [UInt8] {
    let reference = try reference()
    let files = try await client.files(reference, commit: FakeHub.commit)
    let file = try #require(files.first)
    let path = try await client.fetch(
      file, of: reference, commit: FakeHub.commit, into: models.path, progress: { _ in })
    #expect(path == models.path + "/" + file.name)
    return Array(try Data(contentsOf: URL(filePath: path)))
  }

  private func failure(_ client: HubClient) async -> HubError? {
    do {
      _ = try await fetch(client)
      return nil
    } catch {
      return error as? HubError
    }
  }

  private var partial: String {
    "\(models.path)/\(Self.name).\(SHA256.hex(of: Self.content).prefix(16)).partial"
  }
  private var left: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: models.path).sorted()) ?? []
  }

  @Test func theTokenIsNotForWhereTheFileIs() async throws {
    let store = try FakeHub(answer: { FakeHub.file(Self.content, $0) })
    let hub = try FakeHub([Self.name: Self.content]) { request in
      guard request.path.contains("/resolve/") else { return nil }
      var response = HTTPResponse(status: .found)
      response.headers.set("Location", "\(store.url)/blob?signature=1")
      return response
    }
    #expect(try await fetch(try hub.client(token: "hf_secret")) == Self.content)
    #expect(hub.requests.count == 2)
    #expect(hub.requests.allSatisfy { $0.headers["Authorization"] == "Bearer hf_secret" })
    #expect(store.requests.map(\.path) == ["/blob"])
    #expect(store.requests.allSatisfy { $0.headers["Authorization"] == nil })
    #expect(left == [Self.name])
    await hub.stop()
    await store.stop()
  }

  @Test func theTokenIsNotForAnotherServersList() async throws {
    let other = try FakeHub(answer: { _ in .json(Array("[]".utf8)) })
    let hub = try FakeHub([Self.name: Self.content]) { request in
      guard request.path.contains("/tree/") else { return nil }
      var response = HTTPResponse.json(Array("[]".utf8))
      response.headers.set("Link", "<\(other.url)/next?cursor=1>; rel=\"next\"")
      return response
    }
    let client = try hub.client(token: "hf_secret")
    #expect(try await client.files(try reference(), commit: FakeHub.commit) == [])
    #expect(other.requests.map(\.rawQuery) == ["cursor=1"])
    #expect(other.requests.allSatisfy { $0.headers["Authorization"] == nil })
    await hub.stop()
    await other.stop()
  }

  @Test func whatBreaksOffGoesOnByItself() async throws {
    let partial = partial
    let hub = try FakeHub([Self.name: Self.content]) { request in
      guard request.path.contains("/resolve/"), request.headers["Range"] == nil else { return nil }
      return .stream(contentType: "application/octet-stream") { writer in
        try await writer.write(Array(Self.content[..<70_000]))
        while (FileManager.default.contents(atPath: partial)?.count ?? 0) < 70_000 {
          try await Task.sleep(for: .milliseconds(2))
        }
        throw CancellationError()
      }
    }
    #expect(try await fetch(try hub.client()) == Self.content)
    #expect(hub.downloads.map { $0.headers["Range"] } == [nil, "bytes=70000-"])
    #expect(hub.waits == [.seconds(1)])
    #expect(left == [Self.name])
    await hub.stop()
  }

  /// What another process has left, in part or whole.
  @Test(arguments: [1, 100_000, 200_000]) func goesOnWithWhatIsThere(count: Int) async throws {
    let hub = try FakeHub([Self.name: Self.content])
    try Data(Self.content[..<count]).write(to: URL(filePath: partial))
    #expect(try await fetch(try hub.client()) == Self.content)
    let ranges = hub.downloads.map { $0.headers["Range"] }
    #expect(ranges == (count < 200_000 ? ["bytes=\(count)-"] : []))
    // And what is whole is not fetched again.
    #expect(try await fetch(try hub.client()) == Self.content)
    #expect(hub.downloads.count == ranges.count)
    await hub.stop()
  }

  @Test func anotherContentIsRemoved() async throws {
    let hub = try FakeHub([Self.name: Self.content])
    try Data(repeating: 0, count: 100).write(to: URL(filePath: partial))
    let problem = await failure(try hub.client())
    guard case .damaged(file: Self.name, problem: _)? = problem else {
      Issue.record("\(String(describing: problem))")
      return
    }
    #expect(left == [])
    #expect(try await fetch(try hub.client()) == Self.content, "then from its beginning")
    await hub.stop()

    let wrong = try FakeHub(
      [Self.name: Self.content], digests: [Self.name: String(repeating: "a", count: 64)])
    let other = await failure(try wrong.client())
    #expect(other?.description.contains("SHA-256") == true)
    #expect(left == [Self.name], "what was there under the name stays until another is whole")
    await wrong.stop()
  }

  @Test(arguments: [0, 199_999]) func lessThanTheListSays(count: Int) async throws {
    let hub = try FakeHub([Self.name: Self.content]) { request in
      request.path.contains("/resolve/")
        ? HTTPResponse(status: .ok, body: .bytes(Array(Self.content[..<count]))) : nil
    }
    #expect(
      await failure(try hub.client())
        == .damaged(file: Self.name, problem: "\(count) bytes, expected 200000"))
    #expect(left == [])
    await hub.stop()
  }

  @Test func refusalsSayWhy() async throws {
    for (status, token) in [(HTTPStatus.unauthorized, nil), (.forbidden, "hf_secret")] {
      let hub = try FakeHub([Self.name: Self.content]) { request in
        request.path.contains("/resolve/") ? .text("gated", status: status) : nil
      }
      let problem = await failure(try hub.client(token: token))
      #expect(problem == .refused(page: hub.url + "/a/b", hasToken: token != nil))
      let text = problem?.description ?? ""
      #expect(text.contains("/a/b") && !text.contains("hf_secret"))
      #expect(text.contains("HF_TOKEN") == (token == nil))
      #expect(hub.waits == [])
      await hub.stop()
    }
    let hub = try FakeHub(answer: { _ in .text("no", status: .notFound) })
    #expect(await failure(try hub.client()) == .notFound("hf:a/b"))
    await hub.stop()
    // Nobody listens there any more.
    guard case .connection(_, _, isLasting: true)? = await failure(try hub.client()) else {
      Issue.record("nobody answers")
      return
    }
  }

  @Test func aBusyHubIsAskedAgain() async throws {
    let count = Mutex(0)
    let hub = try FakeHub([Self.name: Self.content]) { _ in
      let number = count.withLock { count in
        count += 1
        return count
      }
      var response = HTTPResponse(status: number == 1 ? .tooManyRequests : .serviceUnavailable)
      response.headers.set("Retry-After", "7")
      return number <= 2 ? response : nil
    }
    #expect(try await fetch(try hub.client()) == Self.content)
    #expect(hub.waits == [.seconds(7), .seconds(2)])
    await hub.stop()

    let down = try FakeHub(answer: { _ in .text("down", status: .badGateway) })
    #expect(await failure(try down.client()) == .failed(host: "127.0.0.1", status: 502))
    #expect(down.waits == [1, 2, 4, 8].map { .seconds($0) })
    await down.stop()

    let full = try FakeHub(answer: { _ in
      var response = HTTPResponse(status: .tooManyRequests)
      response.headers.set("Retry-After", "3600")
      return response
    })
    #expect(await failure(try full.client()) == .busy(host: "127.0.0.1", seconds: 3600))
    #expect(full.waits == [])
    await full.stop()
  }

  @Test func listsHaveBounds() async throws {
    let path = try FakeHub(answer: { _ in
      .json(Array(#"[{"type": "file", "path": "../x.gguf", "size": 1}]"#.utf8))
    })
    let large = try FakeHub(answer: { _ in .json([UInt8](repeating: 0x20, count: 17 << 20)) })
    let endless = try FakeHub(answer: { request in
      var response = HTTPResponse.json(Array("[]".utf8))
      response.headers.set(
        "Link", "<http://\(request.headers["Host"] ?? "")/more>; rel=\"next\"")
      return response
    })
    let entry = #"{"type": "file", "path": "a", "size": 1}"#
    let many = "[" + Array(repeating: entry, count: 20_001).joined(separator: ",") + "]"
    let long = try FakeHub(answer: { _ in .json(Array(many.utf8)) })
    for hub in [path, large, endless, long] {
      guard case .badAnswer? = await failure(try hub.client()) else {
        Issue.record("the list is taken")
        continue
      }
      await hub.stop()
    }
    #expect(endless.requests.count == 50)
    #expect(left == [])
  }

  @Test func withoutRoomNothingIsFetched() async throws {
    let hub = try FakeHub()
    let file = HubFile(path: "m.gguf", byteCount: 1 << 50)
    await #expect {
      _ = try await hub.client().fetch(
        file, of: try reference(), commit: FakeHub.commit, into: models.path, progress: { _ in })
    } throws: {
      if case .noRoom? = $0 as? HubError { true } else { false }
    }
    #expect(hub.requests.isEmpty)
    await hub.stop()
  }

  @Test func settings() throws {
    try models.write("hf_file\n", to: "token")
    for url in ["ftp://a.example", "a.example", "https://me:pass@a.example", "https://a.example?b"]
    {
      #expect(throws: HubError.self) { try HubSettings(environment: ["HF_ENDPOINT": url]) }
    }
    #expect {
      _ = try HubSettings(environment: ["HF_TOKEN": "hf_secret\r\nX: y"])
    } throws: {
      let text = "\($0)"
      return text.contains("HF_TOKEN") && !text.contains("secret")
    }
    _ = try HubSettings(environment: ["HF_HOME": models.path])
  }
}
