import Foundation
import HTTP
import Library
import Routing
import Synchronization

/// The hub's routes, for one repository `a/b`, on a port of its own.
final class FakeHub: Sendable {
  static let commit = String(repeating: "c0ffee00", count: 5)
  static let info =
    #"{"sha": "\#(commit)", "cardData": {"license": "apache-2.0"}, "createdAt": "2025-04-27T03:38:52.000Z"}"#

  private final class Seen: Sendable {
    let requests = Mutex<[HTTPRequest]>([])
  }

  private let server: HTTPServer
  private let seen = Seen()
  private let pauses = Mutex<[Duration]>([])
  let url: String

  /// What it was asked.
  var requests: [HTTPRequest] { seen.requests.withLock { $0 } }
  /// Of those, the ones for files.
  var downloads: [HTTPRequest] { requests.filter { $0.path.contains("/resolve/") } }
  /// How long the client meant to wait between attempts.
  var waits: [Duration] { pauses.withLock { $0 } }

  /// - Parameters:
  ///   - files: What the repository has, by path. Those of 64 bytes and more have a digest in the list.
  ///   - digests: Other digests than the files' own.
  ///   - answer: Comes first; nil leaves it to the usual answer.
  init(
    _ files: [String: [UInt8]] = [:], digests: [String: String] = [:],
    answer: @escaping @Sendable (HTTPRequest) -> HTTPResponse? = { _ in nil }
  ) throws {
    server = HTTPServer(configuration: HTTPServerConfiguration(port: 0)) { [seen] request in
      seen.requests.withLock { $0.append(request) }
      return answer(request) ?? Self.answer(request, files, digests)
    }
    try server.start()
    url = "http://127.0.0.1:\(server.port ?? 0)"
  }

  func stop() async { await server.shutdown(graceTimeout: .zero) }

  /// A client that waits for nothing.
  func client(token: String? = nil) throws -> HubClient {
    let settings = try HubSettings(environment: [
      "HF_ENDPOINT": url + "/", "HF_TOKEN": token ?? "", "HF_HOME": "/nowhere",
    ])
    return try HubClient(settings) { [self] pause in pauses.withLock { $0.append(pause) } }
  }

  // MARK: - Answers

  private static func answer(
    _ request: HTTPRequest, _ files: [String: [UInt8]], _ digests: [String: String]
  ) -> HTTPResponse {
    switch request.path {
    case "/api/models/a/b": return .json(Array(info.utf8))
    case "/api/models/a/b/tree/\(commit)": return .json(Array(list(files, digests).utf8))
    default:
      let prefix = "/a/b/resolve/\(commit)/"
      guard request.path.hasPrefix(prefix),
        let file = files[String(request.path.dropFirst(prefix.count))]
      else { return .text("Entry not found", status: .notFound) }
      return Self.file(file, request)
    }
  }

  private static func list(_ files: [String: [UInt8]], _ digests: [String: String]) -> String {
    let entries = files.sorted { $0.key < $1.key }.map { path, bytes in
      let digest = digests[path] ?? SHA256.hex(of: bytes)
      let large =
        bytes.count < 64 ? "" : #", "lfs": {"oid": "\#(digest)", "size": \#(bytes.count)}"#
      return #"{"type": "file", "path": "\#(path)", "size": \#(bytes.count)\#(large)}"#
    }
    return "[\(entries.joined(separator: ", "))]"
  }

  /// A file, or the rest of it that is asked for.
  static func file(_ bytes: [UInt8], _ request: HTTPRequest) -> HTTPResponse {
    guard let range = request.headers["Range"],
      let start = range.wholeMatch(of: /bytes=(\d+)-/).flatMap({ Int($0.1) })
    else { return HTTPResponse(status: .ok, body: .bytes(bytes)) }
    var response = HTTPResponse(
      status: HTTPStatus(code: 206, reason: "Partial Content"), body: .bytes(Array(bytes[start...]))
    )
    response.headers.set("Content-Range", "bytes \(start)-\(bytes.count - 1)/\(bytes.count)")
    return response
  }
}
