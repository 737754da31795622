import Foundation
import Routing

/// A short name for the contents of a large file, quick enough for every start: the hash of its
/// length and of three samples, in which weights of different training already differ.
package enum FileRevision {
  private static let sampleBytes = 256 << 10

  /// One name for the contents of several files.
  package static func of(_ paths: [String]) throws -> String {
    let parts = try paths.map { try of($0) }
    return String(SHA256.hex(of: Data(parts.joined(separator: ":").utf8)).prefix(16))
  }

  package static func of(_ path: String) throws -> String {
    let file = try FileHandle(forReadingFrom: URL(filePath: path))
    defer { try? file.close() }
    let length = try file.seekToEnd()
    let last = length > UInt64(sampleBytes) ? length - UInt64(sampleBytes) : 0
    var sample = Data("\(length):".utf8)
    for offset in [0, last / 2, last] {
      try file.seek(toOffset: offset)
      sample += try file.read(upToCount: sampleBytes) ?? Data()
    }
    return String(SHA256.hex(of: sample).prefix(16))
  }
}
