import Foundation
import HTTPClient
import Routing

extension HubClient {
  /// How far a download is.
  package struct Progress: Sendable {
    package let file: HubFile
    /// Of the file's ``HubFile/byteCount``.
    package let byteCount: Int
  }

  /// Fetches a file into a folder under its own name, and goes on with what an earlier attempt left there. A file that
  /// is there already, and is the one, is not fetched again.
  ///
  /// - Parameter progress: Is called by the client's thread, at each piece.
  package func fetch(
    _ file: HubFile, of reference: HubReference, commit: String, into folder: String,
    progress: @escaping @Sendable (Progress) -> Void
  ) async throws(HubError) -> String {
    let place = folder + "/" + file.name
    if file.sha256 != nil, Self.size(place) == file.byteCount,
      try Self.problem(of: place, file) == nil
    {
      return place
    }
    let partial = Self.partial(of: file, in: folder)
    if file.sha256 == nil { try? FileManager.default.removeItem(atPath: partial) }
    if Self.size(partial) != file.byteCount || file.byteCount == 0 {
      try Self.checkRoom(in: folder, for: [file])
      try await download(file, of: reference, commit: commit, to: partial, progress)
    }
    if let problem = try Self.problem(of: partial, file) {
      try? FileManager.default.removeItem(atPath: partial)
      throw .damaged(file: file.path, problem: problem)
    }
    guard rename(partial, place) == 0 else {
      throw .unwritable("\(place) cannot be written: \(String(cString: strerror(errno)))")
    }
    return place
  }

  private func download(
    _ file: HubFile, of reference: HubReference, commit: String, to path: String,
    _ progress: @escaping @Sendable (Progress) -> Void
  ) async throws(HubError) {
    let escaped =
      file.path.addingPercentEncoding(
        withAllowedCharacters: .init(
          charactersIn:
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")) ?? file.path
    let url = "\(page(reference))/resolve/\(commit)/\(escaped)"
    var request = try request(url)
    // A week: large files on slow lines. What ends a transfer is silence.
    request.totalSeconds = 7 * 86_400
    try await retrying(progress: { Self.size(path) ?? 0 }) { () async throws(HubError) in
      let response = try await reaching(url) { () async throws(HTTPClientError) in
        try await client.download(request, to: path, byteCount: file.byteCount) {
          progress(Progress(file: file, byteCount: $0))
        }
      }
      try check(response, reference, what: "\(file.path) in \(reference.repository)")
    }
  }

  // MARK: - What is here

  private static func size(_ path: String) -> Int? {
    (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int
  }

  /// What tells a file here from the one in the list; nil where nothing does.
  private static func problem(of path: String, _ file: HubFile) throws(HubError) -> String? {
    let found = size(path) ?? 0
    guard found == file.byteCount else { return "\(found) bytes, expected \(file.byteCount)" }
    guard let expected = file.sha256 else { return nil }
    let digest = try sha256(of: path)
    return digest == expected ? nil : "its SHA-256 is \(digest), expected \(expected)"
  }

  private static func sha256(of path: String) throws(HubError) -> String {
    var hash = SHA256()
    do {
      let handle = try FileHandle(forReadingFrom: URL(filePath: path))
      defer { try? handle.close() }
      while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty {
        piece.withUnsafeBytes { hash.add($0) }
      }
    } catch {
      throw .unwritable("\(path) cannot be read back")
    }
    return hash.hex
  }

  /// Where a file grows: by its content's name, so that what is left of another is not gone on with. A small file's
  /// content has none.
  private static func partial(of file: HubFile, in folder: String) -> String {
    "\(folder)/\(file.name).\(file.sha256?.prefix(16) ?? "new").partial"
  }

  /// - Throws: Where a folder's file system has no room for what of the files is not there yet, and a little to live
  ///   with.
  static func checkRoom(in folder: String, for files: [HubFile]) throws(HubError) {
    var system = statvfs()
    guard statvfs(folder, &system) == 0 else { return }
    let free = Int(clamping: UInt64(system.f_bavail))
      .multipliedReportingOverflow(by: Int(clamping: UInt64(system.f_frsize)))
    var needed = 64 << 20
    for file in files {
      let here = max(size(partial(of: file, in: folder)) ?? 0, size(folder + "/" + file.name) ?? 0)
      needed = Int(clamping: UInt64(needed) + UInt64(max(file.byteCount - here, 0)))
    }
    guard free.overflow || free.partialValue >= needed else {
      throw .noRoom(path: folder, neededBytes: needed, freeBytes: free.partialValue)
    }
  }
}
