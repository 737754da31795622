/// Bytes on their way to the socket. Small pieces are joined, so that a response's head and body,
/// and the responses to pipelined requests, leave in one call; long ones are sent from where they
/// lie.
package struct OutputQueue {
  private static let joinBelowBytes = 16 * 1024

  package init() {}

  private var segments: [[UInt8]] = [[]]
  /// Segments before this one are sent.
  private var first = 0
  /// Bytes of the first segment that are sent.
  private var firstOffset = 0
  /// Bytes that wait to be sent.
  package private(set) var count = 0

  package var isEmpty: Bool { count == 0 }

  /// Whether bytes follow those of ``withFirst(_:)``.
  package var hasMoreThanFirst: Bool { count > segments[first].count - firstOffset }

  /// Lets `build` append to the queue's end.
  package mutating func append(_ build: (inout [UInt8]) -> Void) {
    let last = segments.count - 1
    if segments[last].count >= Self.joinBelowBytes { segments.append([]) }
    let target = segments.count - 1
    let before = segments[target].count
    build(&segments[target])
    count += segments[target].count - before
  }

  /// Appends `bytes`, without a copy where they are many.
  package mutating func append(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    if bytes.count < Self.joinBelowBytes {
      append { $0.append(contentsOf: bytes) }
    } else {
      // No empty segment may come before it: that would look like the end.
      if segments[segments.count - 1].isEmpty { segments.removeLast() }
      segments.append(bytes)
      count += bytes.count
    }
  }

  /// The next bytes to send.
  package func withFirst<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    segments[first].withUnsafeBytes { bytes in
      body(UnsafeRawBufferPointer(rebasing: bytes[firstOffset...]))
    }
  }

  /// Drops the first `sent` bytes of those of ``withFirst(_:)``.
  package mutating func consume(_ sent: Int) {
    let sent = min(sent, count)
    count -= sent
    firstOffset += sent
    if count == 0 {
      clear()
    } else if firstOffset >= segments[first].count {
      segments[first] = []
      first += 1
      firstOffset = 0
      // An empty segment would look like the end.
      while first < segments.count, segments[first].isEmpty { first += 1 }
      if first > 32 {
        segments.removeSubrange(..<first)
        first = 0
      }
    }
  }

  /// Drops everything, keeping a small buffer for the next response.
  package mutating func clear() {
    if segments.count > 1 || segments[0].capacity > 2 * Self.joinBelowBytes {
      segments = [[]]
    } else {
      segments[0].removeAll(keepingCapacity: true)
    }
    first = 0
    firstOffset = 0
    count = 0
  }
}
