import Foundation
import HTTP
import Routing
import Synchronization
import Testing

/// A model by its name on the hub, of which this process is one: fetched by the built binary, interrupted and gone on
/// with.
@Suite(.serialized) struct HubTests {
  private static let commit = String(repeating: "0a1b2c3d", count: 5)
  private static let name = "SmolLM2-135M-Instruct.Q4_1.gguf"

  private final class Seen: Sendable {
    let downloads = Mutex<[HTTPRequest]>([])
    let model: [UInt8]
    let list: [UInt8]

    init() throws {
      let path = Binary.packageRoot.appending(path: "models/smollm2-135m/\(HubTests.name)")
      model = Array(try Data(contentsOf: path))
      list = Array(
        """
        [{"type": "file", "path": ".gitattributes", "size": 9},
         {"type": "file", "path": "\(HubTests.name)", "size": 130, "lfs":
          {"size": \(model.count), "oid": "\(SHA256.hex(of: model))"}},
         {"type": "file", "path": "SmolLM2-135M-Instruct.F16.gguf", "size": 130, "lfs":
          {"size": 9, "oid": "\(String(repeating: "0", count: 64))"}}]
        """.utf8)
    }

    func answer(_ request: HTTPRequest) -> HTTPResponse {
      switch request.path {
      case "/api/models/some/SmolLM2-GGUF":
        return .json(
          Array(
            #"{"sha": "\#(HubTests.commit)", "tags": ["gguf", "license:apache-2.0"]}"#.utf8))
      case "/api/models/some/SmolLM2-GGUF/tree/\(HubTests.commit)": return .json(list)
      case "/some/SmolLM2-GGUF/resolve/\(HubTests.commit)/\(HubTests.name)": break
      default: return .text("Repository not found", status: .notFound)
      }
      downloads.withLock { $0.append(request) }
      guard let range = request.headers["Range"],
        let start = range.wholeMatch(of: /bytes=(\d+)-/).flatMap({ Int($0.1) })
      else {
        // The first attempt gets stuck on half of its way.
        let half = Array(model[..<(model.count / 2)])
        return .stream(contentType: "application/octet-stream") { writer in
          try await writer.write(half)
          try await Task.sleep(for: .seconds(600))
        }
      }
      var response = HTTPResponse(
        status: HTTPStatus(code: 206, reason: "Partial Content"),
        body: .bytes(Array(model[start...])))
      response.headers.set("Content-Range", "bytes \(start)-\(model.count - 1)/\(model.count)")
      return response
    }
  }

  @Test func isFetchedInTwoGoesAndAnswers() async throws {
    let seen = try Seen()
    let hub = HTTPServer(configuration: HTTPServerConfiguration(port: 0)) { seen.answer($0) }
    try hub.start()
    let models = try ModelsFolder()
    let environment = [
      "HF_ENDPOINT": "http://127.0.0.1:\(hub.port ?? 0)", "HF_TOKEN": "hf_secret",
    ]
    let arguments = [
      "experts", "add", "hf:some/SmolLM2-GGUF:q4_1", "--id", "fetched", "--models", models.path,
    ]

    // Interrupted by Ctrl-C once a part is here.
    let first = Process()
    first.executableURL = Binary.url
    first.arguments = arguments
    first.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    first.standardError = FileHandle.nullDevice
    first.standardOutput = FileHandle.nullDevice
    try first.run()
    let folder = models.path + "/.cache/hub/some--SmolLM2-GGUF"
    func partBytes() -> Int {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      let part = names.first { $0.hasSuffix(".partial") }.map { folder + "/" + $0 }
      let attributes = part.flatMap { try? FileManager.default.attributesOfItem(atPath: $0) }
      return attributes?[.size] as? Int ?? 0
    }
    while partBytes() < seen.model.count / 2, first.isRunning {
      try await Task.sleep(for: .milliseconds(20))
    }
    kill(first.processIdentifier, SIGINT)
    while first.isRunning { try await Task.sleep(for: .milliseconds(20)) }
    #expect(partBytes() == seen.model.count / 2)
    #expect(!FileManager.default.fileExists(atPath: models.path + "/fetched"))

    let added = try await Command.run(Binary.url, arguments, environment: environment)
    #expect(added.status == 0, "\(added.errors)")
    #expect(added.errors.contains("100 %") && !added.errors.contains("hf_secret"))
    let downloads = seen.downloads.withLock { $0 }
    #expect(downloads.map { $0.headers["Range"] } == [nil, "bytes=\(seen.model.count / 2)-"])
    #expect(downloads.allSatisfy { $0.headers["Authorization"] == "Bearer hf_secret" })

    let inspected = try await Command.thalamus(
      "experts", "inspect", "fetched", "--models", models.path)
    #expect(inspected.status == 0, "\(inspected.errors)")
    for text in ["apache-2.0", "/some/SmolLM2-GGUF/blob/\(Self.commit)/\(Self.name)", "134.5M"] {
      #expect(inspected.output.contains(text), "\(text) in \(inspected.output)")
    }
    let question = [
      "generate", "--prompt", "What is the capital of France?", "--max-tokens", "8",
      "--temperature", "0",
    ]
    let answer = try await Command.run(
      Binary.url, question + ["--expert", "fetched", "--models", models.path])
    let known = try await Command.run(Binary.url, question + ["--expert", "smollm2-135m"])
    #expect(answer.status == 0, "\(answer.errors)")
    #expect(answer.output == known.output && answer.output.count > 5)

    // What is not there is said, with what there is.
    let wrong = try await Command.run(
      Binary.url, ["experts", "add", "hf:some/SmolLM2-GGUF:Q9_9", "--models", models.path],
      environment: environment)
    #expect(wrong.status != 0 && wrong.errors.contains("SmolLM2-135M-Instruct.F16.gguf"))
    let none = try await Command.run(
      Binary.url, ["experts", "add", "hf:some/thing", "--models", models.path],
      environment: environment)
    #expect(none.status != 0 && none.errors.contains("the hub has no hf:some/thing"))
    await hub.shutdown(graceTimeout: .zero)
  }
}
