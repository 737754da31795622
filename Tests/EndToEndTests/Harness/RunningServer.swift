import Foundation
import Synchronization

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// The built binary, serving on a port of its own with a database of its own.
final class RunningServer: @unchecked Sendable {
  let baseURL: URL
  let folder: URL
  private let process: Process

  var database: URL { folder.appending(path: "decisions.sqlite") }
  var processIdentifier: Int32 { process.processIdentifier }

  struct StartFailure: Error, CustomStringConvertible {
    let description: String
  }

  /// Starts `thalamus serve` and waits until it says where it listens.
  ///
  /// - Parameters:
  ///   - environment: settings such as `THALAMUS_LOG_PROMPTS`.
  ///   - database: an earlier server's, to see what survived it.
  init(
    environment: [String: String] = [:], arguments: [String] = [], database: URL? = nil
  ) async throws {
    folder = FileManager.default.temporaryDirectory.appending(
      path: "thalamus-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    process = Process()
    process.executableURL = Binary.url
    process.currentDirectoryURL = Binary.packageRoot
    process.arguments =
      [
        "serve", "--host", "127.0.0.1", "--port", "0", "--database",
        (database ?? folder.appending(path: "decisions.sqlite")).path,
      ] + arguments
    process.environment = ProcessInfo.processInfo.environment
      .filter { !$0.key.hasPrefix("THALAMUS_") }.merging(environment) { $1 }
    let errors = folder.appending(path: "stderr.txt")
    _ = FileManager.default.createFile(atPath: errors.path, contents: nil)
    process.standardError = try FileHandle(forWritingTo: errors)
    process.standardOutput = try FileHandle(forWritingTo: errors)
    try process.run()

    for _ in 0..<600 {
      let text = (try? String(contentsOf: errors, encoding: .utf8)) ?? ""
      if let match = text.firstMatch(of: /listening on (http:\/\/[0-9.:]+)/),
        let url = URL(string: String(match.1))
      {
        baseURL = url
        return
      }
      if !process.isRunning {
        throw StartFailure(description: "the server ended at start: \(text)")
      }
      try await Task.sleep(for: .milliseconds(50))
    }
    process.terminate()
    throw StartFailure(description: "the server did not say where it listens within 30 s")
  }

  private static let untilTheEnd = Mutex<[(process: Int32, folder: URL)]>([])

  /// Ends the server with this process: what a static holds is never deinitialised.
  func endWithTheTests() {
    let isFirst = Self.untilTheEnd.withLock { servers in
      servers.append((processIdentifier, folder))
      return servers.count == 1
    }
    guard isFirst else { return }
    atexit {
      for server in RunningServer.untilTheEnd.withLock({ $0 }) {
        kill(server.process, SIGKILL)
        try? FileManager.default.removeItem(at: server.folder)
      }
    }
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    try? FileManager.default.removeItem(at: folder)
  }

  var standardError: String {
    (try? String(contentsOf: folder.appending(path: "stderr.txt"), encoding: .utf8)) ?? ""
  }

  func send(signal: Int32) { kill(process.processIdentifier, signal) }

  /// Waits for the process to end; nil where it has not after `seconds`.
  func exitStatus(within seconds: Double) async throws -> Int32? {
    for _ in 0..<Int(seconds * 20) {
      if !process.isRunning { return process.terminationStatus }
      try await Task.sleep(for: .milliseconds(50))
    }
    return nil
  }
}

/// Where the built binary and the sources are.
enum Binary {
  static let packageRoot = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// Beside the test bundle: both come from one build.
  static let url: URL = {
    let here = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent()
    let beside = here.appending(path: "thalamus")
    return FileManager.default.isExecutableFile(atPath: beside.path)
      ? beside : packageRoot.appending(path: ".build/release/thalamus")
  }()
}
