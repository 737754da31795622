/// Server-sent events, piece by piece (WHATWG HTML, "Server-sent events"): the data of each, in order.
package struct ServerSentEventParser: Sendable {
  /// A line or event that is longer than it may be.
  package struct TooLong: Error, Equatable, Sendable {
    package let limit: Int

    package init(limit: Int) { self.limit = limit }
  }

  private let maximumBytes: Int
  private var line: [UInt8] = []
  private var data: [UInt8] = []
  private var hasData = false
  /// The last byte was a carriage return, whose line feed is no line of its own.
  private var isAfterReturn = false
  /// Nothing was read yet: a byte order mark is no text.
  private var isAtStart = true

  /// - Parameter maximumBytes: Most bytes of one event's data.
  package init(maximumBytes: Int = 4 << 20) {
    self.maximumBytes = maximumBytes
  }

  /// The events that end within these bytes.
  package mutating func read(_ bytes: [UInt8]) throws(TooLong) -> [[UInt8]] {
    var events: [[UInt8]] = []
    for byte in bytes {
      let isFeedOfReturn = isAfterReturn && byte == 0x0A
      isAfterReturn = byte == 0x0D
      if isFeedOfReturn { continue }
      if byte == 0x0A || byte == 0x0D {
        try endLine(into: &events)
      } else {
        guard line.count < maximumBytes else { throw TooLong(limit: maximumBytes) }
        line.append(byte)
      }
    }
    return events
  }

  /// The event that no empty line ended: the standard drops it, but servers leave the last line's end out.
  package mutating func end() throws(TooLong) -> [[UInt8]] {
    var events: [[UInt8]] = []
    if !line.isEmpty { try endLine(into: &events) }
    if hasData { events.append(data) }
    self = ServerSentEventParser(maximumBytes: maximumBytes)
    return events
  }

  private mutating func endLine(into events: inout [[UInt8]]) throws(TooLong) {
    defer { line.removeAll(keepingCapacity: true) }
    if isAtStart {
      isAtStart = false
      if line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
    }
    if line.isEmpty {
      if hasData { events.append(data) }
      data = []
      hasData = false
      return
    }
    // Comments, names and ids say nothing of an answer.
    guard line.starts(with: Self.name), line.count == Self.name.count || line[4] == 0x3A else {
      return
    }
    var value = line.dropFirst(Self.name.count + 1)
    if value.first == 0x20 { value = value.dropFirst() }
    guard data.count + value.count < maximumBytes else { throw TooLong(limit: maximumBytes) }
    if hasData { data.append(0x0A) }
    data += value
    hasData = true
  }

  private static let name = Array("data".utf8)
}
