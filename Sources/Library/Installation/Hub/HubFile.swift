import Foundation
import JSON

/// A file of a repository, as the hub lists it.
package struct HubFile: Sendable, Equatable {
  package let path: String
  package let byteCount: Int
  /// In lower-case hexadecimal; nil for a small file that is kept in git itself.
  package let sha256: String?

  package init(path: String, byteCount: Int, sha256: String? = nil) {
    self.path = path
    self.byteCount = byteCount
    self.sha256 = sha256
  }

  /// The path's last part.
  package var name: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// The path without it.
  var folder: Substring { path.dropLast(name.count) }

  /// For people who choose.
  var line: String { Self.line(path, byteCount: Double(byteCount)) }

  /// A name with a size.
  static func line(_ name: String, byteCount: Double, note: String = "") -> String {
    "\(name) (\(String(format: "%.0f", byteCount / 1e6)) MB\(note))"
  }

  /// Whether a path stays inside the folder that it is relative to, on any system.
  package static func isSafe(_ path: String) -> Bool {
    path.utf8.count <= 512
      && path.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F && $0 != "\\" }
      && path.split(separator: "/", omittingEmptySubsequences: false)
        .allSatisfy { !["", ".", ".."].contains($0) }
  }

  private static let maximumByteCount = 1 << 50

  /// The files on one page of a listing: an array of `{"type", "path", "size", "lfs"}`.
  package static func page(_ bytes: [UInt8]) throws(HubError) -> [HubFile] {
    guard case .array(let entries)? = try? JSONParser.parse(bytes) else {
      throw .badAnswer("its list of files is no JSON array")
    }
    var files: [HubFile] = []
    for entry in entries {
      guard case .string("file")? = entry["type"] else { continue }
      guard case .string(let path)? = entry["path"], isSafe(path) else {
        throw .badAnswer("its list of files has a path that leads out of the repository")
      }
      let large = entry["lfs"].flatMap { $0.isNull ? nil : $0 }
      guard case .int(let size)? = large?["size"] ?? entry["size"],
        (0...maximumByteCount).contains(size)
      else {
        throw .badAnswer("its list of files has no size of \(path)")
      }
      var sha256: String?
      if let large {
        guard case .string(let text)? = large["oid"],
          text.utf8.count == 64, text.wholeMatch(of: /[0-9a-f]+/) != nil
        else {
          throw .badAnswer("its list of files has no SHA-256 of \(path)")
        }
        sha256 = text
      }
      files.append(HubFile(path: path, byteCount: size, sha256: sha256))
    }
    return files
  }
}
