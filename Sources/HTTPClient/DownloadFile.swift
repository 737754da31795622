import Foundation
import Synchronization

/// The file that a download grows in. Written by the client's thread, as the bytes come.
final class DownloadFile: Sendable {
  private struct State {
    var length: Int
    var isClosed = false
    var problem: HTTPClientError?
  }

  private let path: String
  private let byteCount: Int
  private let descriptor: Int32
  private let progress: @Sendable (Int) -> Void
  private let state: Mutex<State>

  /// Bytes that are there.
  var length: Int { state.withLock { $0.length } }
  /// Why it took no more; nil where all went well.
  var problem: HTTPClientError? { state.withLock { $0.problem } }

  /// Opens or makes the file. What can't be a part of so many bytes is taken out.
  init(
    path: String, byteCount: Int, progress: @escaping @Sendable (Int) -> Void
  ) throws(HTTPClientError) {
    // Not through a link that someone else may have put there.
    descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard descriptor >= 0 else { throw Self.unwritable(path) }
    // Two that write to one file would leave neither's content.
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      _ = Foundation.close(descriptor)
      throw .unwritable("\(path) is being fetched by another process")
    }
    let end = Int(lseek(descriptor, 0, SEEK_END))
    let isPart = (0..<max(byteCount, 1)).contains(end)
    guard isPart || ftruncate(descriptor, 0) == 0 else {
      let problem = Self.unwritable(path)
      _ = Foundation.close(descriptor)
      throw problem
    }
    self.path = path
    self.byteCount = byteCount
    self.progress = progress
    state = Mutex(State(length: isPart ? end : 0, problem: nil))
  }

  deinit { close() }

  /// Lets go of the file, for whoever is next. What still comes is not taken.
  func close() {
    state.withLock { state in
      if !state.isClosed { _ = Foundation.close(descriptor) }
      state.isClosed = true
    }
  }

  private static func unwritable(_ path: String) -> HTTPClientError {
    .unwritable("\(path) cannot be written: \(String(cString: strerror(errno)))")
  }

  /// Whether the body that comes is the file's. The server may have begun anew.
  func begin(status: Int, headers: [String: String]) -> Bool {
    state.withLock { state in
      switch status {
      case 200 where !state.isClosed:
        state.length = 0
        if ftruncate(descriptor, 0) != 0 { state.problem = Self.unwritable(path) }
        return true
      case 206:
        let range = headers["content-range"] ?? ""
        guard let match = range.wholeMatch(of: /bytes (\d+)-\d+\/(\d+|\*)/),
          Int(match.1) == state.length, match.2 == "*" || Int(match.2) == byteCount
        else {
          state.problem = .interrupted(
            "the server sent '\(range.prefix(100))' of \(byteCount) bytes, asked for those from \(state.length) on"
          )
          return true
        }
        return true
      default: return false
      }
    }
  }

  /// False where it takes no more, which ends the transfer.
  func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let length: Int? = state.withLock { state in
      guard state.problem == nil, !state.isClosed else { return nil }
      guard state.length + bytes.count <= byteCount else {
        state.problem = .tooLarge(limit: byteCount)
        return nil
      }
      var rest = bytes[...]
      while !rest.isEmpty {
        let written = pwrite(
          descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count,
          off_t(state.length))
        if written < 0, errno == EINTR { continue }
        guard written > 0 else {
          state.problem = Self.unwritable(path)
          return nil
        }
        state.length += written
        rest = rest.dropFirst(written)
      }
      return state.length
    }
    guard let length else { return false }
    progress(length)
    return true
  }
}
