import Foundation
import HTTP
import HTTPClient
import Synchronization
import Testing

/// Files that are fetched, in one go or several, and redirects on the way.
@Suite(.serialized) struct DownloadTests {
  private static let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 8) }
  private let path = FileManager.default.temporaryDirectory
    .appending(path: "thalamus-download-\(UUID().uuidString)").path

  /// What a server was asked.
  private final class Seen: Sendable {
    private let requests = Mutex<[HTTPRequest]>([])
    func note(_ request: HTTPRequest) { requests.withLock { $0.append(request) } }
    var all: [HTTPRequest] { requests.withLock { $0 } }
  }

  private func with(
    _ handler: @escaping HTTPHandler, _ body: (HTTPClient, String, Seen) async throws -> Void
  ) async throws {
    defer { try? FileManager.default.removeItem(atPath: path) }
    let seen = Seen()
    let server = HTTPServer(configuration: HTTPServerConfiguration(port: 0)) { request in
      seen.note(request)
      return await handler(request)
    }
    try server.start()
    let client = try HTTPClient()
    do {
      try await body(client, "http://127.0.0.1:\(server.port ?? 0)", seen)
    } catch {
      await server.shutdown(graceTimeout: .zero)
      throw error
    }
    client.shutDown()
    await server.shutdown(graceTimeout: .zero)
  }

  /// The content, or the rest of it that is asked for.
  private static func file(_ request: HTTPRequest) -> HTTPResponse {
    guard let range = request.headers["Range"],
      let start = range.wholeMatch(of: /bytes=(\d+)-/).flatMap({ Int($0.1) })
    else { return HTTPResponse(status: .ok, body: .bytes(content)) }
    var response = HTTPResponse(
      status: HTTPStatus(code: 206, reason: "Partial Content"),
      body: .bytes(Array(content[start...])))
    response.headers.set(
      "Content-Range", "bytes \(start)-\(content.count - 1)/\(content.count)")
    return response
  }

  private static func redirect(_ location: String, _ status: HTTPStatus = .found) -> HTTPResponse {
    var response = HTTPResponse(status: status, body: .bytes(Array("gone".utf8)))
    response.headers.set("Location", location)
    return response
  }

  private func fetch(_ client: HTTPClient, _ url: String) async throws -> Int {
    try await client.download(
      HTTPClientRequest(url: url), to: path, byteCount: Self.content.count
    ).status
  }

  private func failure(_ client: HTTPClient, _ url: String) async -> HTTPClientError? {
    do {
      _ = try await fetch(client, url)
      return nil
    } catch {
      return error as? HTTPClientError
    }
  }

  private var found: [UInt8]? { FileManager.default.contents(atPath: path).map { Array($0) } }

  @Test func wholeAndProgress() async throws {
    try await with(Self.file) { client, url, _ in
      let counts = Mutex<[Int]>([])
      let response = try await client.download(
        HTTPClientRequest(url: url), to: path, byteCount: Self.content.count
      ) { count in counts.withLock { $0.append(count) } }
      #expect(response.status == 200 && found == Self.content)
      let seen = counts.withLock { $0 }
      #expect(seen == seen.sorted() && seen.last == Self.content.count)
    }
  }

  @Test func goesOnWithWhatIsThere() async throws {
    try await with(Self.file) { client, url, seen in
      try Data(Self.content[..<1000]).write(to: URL(filePath: path))
      #expect(try await fetch(client, url) == 206)
      #expect(found == Self.content)
      #expect(seen.all.map { $0.headers["Range"] } == ["bytes=1000-"])
    }
  }

  /// A server that has no ranges sends all of it again.
  @Test func beginsAnewWhereTheServerDoes() async throws {
    try await with { _ in
      HTTPResponse(status: .ok, body: .bytes(Self.content))
    } _: { client, url, _ in
      try Data(repeating: 1, count: 1000).write(to: URL(filePath: path))
      #expect(try await fetch(client, url) == 200)
      #expect(found == Self.content)
    }
  }

  @Test func whatBreaksOffStays() async throws {
    let path = path
    try await with { request in
      guard request.headers["Range"] == nil else { return Self.file(request) }
      return .stream(contentType: "application/octet-stream") { writer in
        try await writer.write(Array(Self.content[..<5000]))
        // Once it is on the disk.
        while (FileManager.default.contents(atPath: path)?.count ?? 0) < 5000 {
          try await Task.sleep(for: .milliseconds(2))
        }
        throw CancellationError()
      }
    } _: { client, url, seen in
      guard case .interrupted? = await failure(client, url) else {
        Issue.record("a broken body is none")
        return
      }
      #expect(found == Array(Self.content[..<5000]))
      let status = try await fetch(client, url)
      #expect(status == 206)
      #expect(found == Self.content)
      #expect(seen.all.last?.headers["Range"] == "bytes=5000-")
    }
  }

  /// Parts of other places, or of other files, are not put together.
  @Test(arguments: ["bytes 0-9/300000", "bytes 1000-1009/7", "bytes */300000", "", "x"])
  func wrongParts(range: String) async throws {
    try await with { _ in
      var response = HTTPResponse(
        status: HTTPStatus(code: 206, reason: "Partial Content"),
        body: .bytes([UInt8](repeating: 9, count: 10)))
      if !range.isEmpty { response.headers.set("Content-Range", range) }
      return response
    } _: { client, url, _ in
      try Data(Self.content[..<1000]).write(to: URL(filePath: path))
      guard case .interrupted? = await failure(client, url) else {
        Issue.record("'\(range)' is taken")
        return
      }
      #expect(found == Array(Self.content[..<1000]))
    }
  }

  @Test func moreThanExpectedAndErrors() async throws {
    try await with { request in
      request.path == "/large"
        ? HTTPResponse(status: .ok, body: .bytes(Self.content + [1]))
        : .text("no such file", status: .notFound)
    } _: { client, url, _ in
      #expect(await failure(client, url + "/large") == .tooLarge(limit: Self.content.count))
      try FileManager.default.removeItem(atPath: path)
      #expect(try await fetch(client, url) == 404)
      #expect(found == [], "an error's text is no content")
      try FileManager.default.removeItem(atPath: path)
      try FileManager.default.createSymbolicLink(
        atPath: path, withDestinationPath: path + "-elsewhere")
      guard case .unwritable? = await failure(client, url) else {
        Issue.record("a link is followed")
        return
      }
      #expect(!FileManager.default.fileExists(atPath: path + "-elsewhere"))
    }
  }

  @Test func aKeyIsForTheFirstServerOnly() async throws {
    try await with {
      Self.file($0)
    } _: { client, far, seenFar in
      let server = HTTPServer(configuration: HTTPServerConfiguration(port: 0)) { request in
        request.path == "/moved"
          ? Self.redirect("\(far)/file") : Self.redirect("/moved", .temporaryRedirect)
      }
      try server.start()
      let near = "http://127.0.0.1:\(server.port ?? 0)"
      let request = HTTPClientRequest(
        url: near + "/first", headers: [("Authorization", "Bearer secret"), ("X-Other", "kept")])
      let response = try await client.download(
        request, to: path, byteCount: Self.content.count)
      #expect(response.status == 200 && found == Self.content)
      #expect(seenFar.all.map(\.path) == ["/file"])
      #expect(seenFar.all.first?.headers["Authorization"] == nil)
      #expect(seenFar.all.first?.headers["X-Other"] == "kept")
      await server.shutdown(graceTimeout: .zero)
    }
  }

  @Test func aKeyStaysWithItsServer() async throws {
    try await with { request in
      request.path == "/first" ? Self.redirect("second?a=b") : .text("here")
    } _: { client, url, seen in
      let request = HTTPClientRequest(
        url: url + "/first", headers: [("Authorization", "Bearer secret")])
      let response = try await client.get(request)
      #expect(response.status == 200)
      #expect(seen.all.map(\.path) == ["/first", "/second"])
      #expect(seen.all.map { $0.headers["Authorization"] } == ["Bearer secret", "Bearer secret"])
    }
  }

  @Test func redirectsThatAreRefused() async throws {
    try await with { request in
      switch request.path {
      case "/file": Self.redirect("file:///etc/passwd")
      case "/user": Self.redirect("http://127.0.0.1@evil.example/")
      default: Self.redirect("/again")
      }
    } _: { client, url, seen in
      for path in ["/file", "/user", "/loop"] {
        guard case .redirectRefused? = await failure(client, url + path) else {
          Issue.record("\(path) is followed")
          continue
        }
      }
      #expect(seen.all.count == 8, "a loop ends")
    }
  }

  @Test func addresses() throws {
    let hub = try HTTPAddress("https://Hub.example/a/b?c")
    #expect(hub.host == "hub.example" && hub.port == "443" && hub.scheme == "https")
    #expect(try hub.isSameServer(as: HTTPAddress("https://hub.example:443/x")))
    for other in [
      "http://hub.example/", "https://hub.example:444/", "https://hub.example.evil.example/",
      "https://ub.example/",
    ] {
      #expect(try !hub.isSameServer(as: HTTPAddress(other)), "\(other)")
    }
    #expect(try hub.resolving("/d").url == "https://Hub.example/d")
    #expect(try hub.resolving("//other.example/d").host == "other.example")
    for wrong in ["", "hub", "file:///a", "https://a@b.example/", "https://", "https://a b/"] {
      #expect(throws: HTTPClientError.self) { try HTTPAddress(wrong) }
    }
  }
}
