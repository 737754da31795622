import Foundation
import Library
import Synchronization
import Transformer

/// All logits of a text in a file, for comparing distributions: float32, little-endian,
/// (tokens, vocabulary).
enum LogitsFile {
  static func write(tokens: [Int32], of expert: LocalExpert, to path: String) throws {
    guard FileManager.default.createFile(atPath: path, contents: nil) else {
      throw CommandFailure("\(path): cannot be written")
    }
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    defer { try? file.close() }
    let decoder = expert.decoder
    let vocabulary = decoder.configuration.vocabularySize
    let cache = decoder.makeCache()
    // Few rows at a time: a vocabulary of 262,144 takes a mebibyte a row.
    for start in stride(from: 0, to: tokens.count, by: 64) {
      let part = tokens[start..<min(start + 64, tokens.count)]
      let rows = Mutex([Float](repeating: 0, count: part.count * vocabulary))
      let segment = BatchSegment(
        cache: cache, tokens: part, logits: .all, adapter: expert.adapter)
      try decoder.forward([segment]) { row in
        let offset = (row.position - start) * vocabulary
        rows.withLock { rows in
          for index in 0..<vocabulary { rows[offset + index] = row.logits[index] }
        }
      }
      file.write(rows.withLock { rows in rows.withUnsafeBytes { Data($0) } })
    }
  }
}
