import Foundation

/// Reads requests out of a stream of bytes, however the stream is cut into pieces. Pure: bytes
/// in, events out. Every byte is looked at a bounded number of times, so a client that drips
/// single bytes costs no more than one that sends them together.
package struct HTTPRequestParser {
  /// What a call of ``next()`` found.
  package enum Event {
    /// Nothing more to read in the bytes so far.
    case needsMore
    /// A head whose body is still to be read; only where the parser was asked for it.
    case head(HTTPRequest)
    /// The client waits for `100 Continue` before it sends the body.
    case sendContinue
    case request(HTTPRequest, keepsAlive: Bool)
    /// The same again on every later call.
    case failure(HTTPParseError)
  }

  /// Where in a request the parser stands, for deadlines.
  package enum Progress {
    /// No byte of the next request has come.
    case idle
    case head
    case body
  }

  private enum Phase: Equatable {
    case requestLine
    case fields
    case fixedBody(remaining: Int)
    case chunkSize
    case chunkData(remaining: Int)
    case chunkEnd
    case trailers
  }

  private let limits: HTTPLimits
  private let announcesHeads: Bool
  private var owesContinue = false
  private var phase = Phase.requestLine
  private var failure: HTTPParseError?
  /// Bytes that came and are not yet part of a request: from `start` on.
  private var buffer: [UInt8] = []
  private var start = 0
  /// No line feed lies between `start` and here.
  private var scanned = 0
  private var head = PendingHead()
  private var headerBytes = 0
  private var emptyLines = 0
  private var chunkExtensionBytes = 0
  private var body: [UInt8] = []

  /// - Parameter announcesHeads: Whether `next()` gives the head of a request with a body before
  ///   the body is read.
  package init(limits: HTTPLimits, announcesHeads: Bool = false) {
    self.limits = limits
    self.announcesHeads = announcesHeads
  }

  /// Bytes that came and are not yet read.
  package var bufferedBytes: Int { buffer.count - start }

  package var progress: Progress {
    switch phase {
    case .requestLine: bufferedBytes == 0 && emptyLines == 0 ? .idle : .head
    case .fields: .head
    default: .body
    }
  }

  /// What has been read of the head of the request that is being read, or that could not be; nil before its first line
  /// is.
  package var partialHead: HTTPRequest? { phase == .requestLine ? nil : request(body: []) }

  /// Takes bytes from the socket; ``next()`` then reads them.
  package mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard failure == nil else { return }
    var bytes = bytes[...]
    if case .fixedBody(let remaining) = phase, bufferedBytes == 0 {
      // The bulk of a long body goes where it belongs without a stop in the buffer.
      let taken = bytes.prefix(remaining)
      body.append(contentsOf: taken)
      phase = .fixedBody(remaining: remaining - taken.count)
      bytes = bytes[taken.endIndex...]
    }
    buffer.append(contentsOf: bytes)
  }

  /// Reads up to the next event.
  package mutating func next() -> Event {
    if let failure { return .failure(failure) }
    // The buffer is out of `self` while it is read, so that `self` can change meanwhile.
    var input: [UInt8] = []
    swap(&input, &buffer)
    let result = input.withUnsafeBytes { bytes in
      Result { () throws(HTTPParseError) -> Event in try read(bytes) }
    }
    swap(&input, &buffer)
    switch result {
    case .success(let event):
      compact()
      return event
    case .failure(let error):
      failure = error
      buffer = []
      body = []
      start = 0
      return .failure(error)
    }
  }

  private mutating func compact() {
    if start == buffer.count {
      if buffer.capacity > 32 * 1024 {
        buffer = []
      } else {
        buffer.removeAll(keepingCapacity: true)
      }
    } else if start > 4096, start > buffer.count / 2 {
      buffer.removeSubrange(..<start)
    } else {
      return
    }
    scanned = max(0, scanned - start)
    start = 0
  }

  private mutating func read(_ bytes: UnsafeRawBufferPointer) throws(HTTPParseError) -> Event {
    if owesContinue {
      owesContinue = false
      return .sendContinue
    }
    while true {
      switch phase {
      case .requestLine:
        let limit = limits.maximumTargetBytes + 48
        guard
          let line = try line(
            in: bytes, limit: limit,
            orThrow: .targetTooLong(maximumBytes: limits.maximumTargetBytes))
        else { return .needsMore }
        if line.isEmpty {
          emptyLines += 1
          guard emptyLines <= 2 else { throw .malformed("The request line is empty.") }
          continue
        }
        head = PendingHead()
        try head.readRequestLine(line, maximumTargetBytes: limits.maximumTargetBytes)
        phase = .fields
      case .fields:
        guard let line = try fieldLine(in: bytes) else { return .needsMore }
        if line.isEmpty {
          try head.validate(maximumBodyBytes: limits.maximumBodyBytes)
          let waits = beginBody(bytesFollow: start < bytes.count)
          if announcesHeads, phase != .fixedBody(remaining: 0) {
            owesContinue = waits
            return .head(request(body: []))
          }
          if waits { return .sendContinue }
        } else {
          guard head.headers.count < limits.maximumHeaderCount else {
            throw .headersTooLarge("There are more than \(limits.maximumHeaderCount) headers.")
          }
          try head.readField(line)
        }
      case .fixedBody(let remaining):
        let rest = take(remaining, from: bytes)
        phase = .fixedBody(remaining: rest)
        guard rest == 0 else { return .needsMore }
        return finish()
      case .chunkSize:
        let tooLong = HTTPParseError.malformed("A chunk's size line is too long.")
        guard let line = try line(in: bytes, limit: 4096, orThrow: tooLong) else {
          return .needsMore
        }
        let size = try chunkSize(line)
        phase = size == 0 ? .trailers : .chunkData(remaining: size)
      case .chunkData(let remaining):
        let rest = take(remaining, from: bytes)
        phase = rest == 0 ? .chunkEnd : .chunkData(remaining: rest)
        guard rest == 0 else { return .needsMore }
      case .chunkEnd:
        guard start < bytes.count else { return .needsMore }
        guard bytes[start] == ASCII.carriageReturn,
          start + 1 == bytes.count || bytes[start + 1] == ASCII.lineFeed
        else { throw .malformed("A chunk is longer than its size says.") }
        guard start + 1 < bytes.count else { return .needsMore }
        start += 2
        scanned = start
        phase = .chunkSize
      case .trailers:
        guard let line = try fieldLine(in: bytes) else { return .needsMore }
        guard line.isEmpty else {
          // Trailers are checked like headers, and not handed on: nothing here uses them.
          _ = try PendingHead.splitField(line)
          continue
        }
        return finish()
      }
    }
  }

  /// The next line without its CR LF; nil until it is all there.
  private mutating func line(
    in bytes: UnsafeRawBufferPointer, limit: Int, orThrow tooLong: HTTPParseError
  ) throws(HTTPParseError) -> UnsafeRawBufferPointer? {
    let from = max(start, scanned)
    guard from < bytes.count, let base = bytes.baseAddress,
      let hit = memchr(base + from, Int32(ASCII.lineFeed), bytes.count - from)
    else {
      scanned = bytes.count
      if bytes.count - start > limit + 1 { throw tooLong }
      return nil
    }
    let end = UnsafeRawPointer(hit) - base
    guard end > start, bytes[end - 1] == ASCII.carriageReturn else {
      throw .malformed("A line ends in a line feed without a carriage return.")
    }
    let line = UnsafeRawBufferPointer(rebasing: bytes[start..<(end - 1)])
    start = end + 1
    scanned = start
    if line.count > limit { throw tooLong }
    return line
  }

  /// The next line of the headers or trailers, within the limit on all of them together.
  private mutating func fieldLine(
    in bytes: UnsafeRawBufferPointer
  ) throws(HTTPParseError) -> UnsafeRawBufferPointer? {
    let tooLarge = HTTPParseError.headersTooLarge(
      "The headers are larger than \(limits.maximumHeaderBytes) bytes.")
    let line = try line(
      in: bytes, limit: max(0, limits.maximumHeaderBytes - headerBytes), orThrow: tooLarge)
    if let line { headerBytes += line.count + 2 }
    return line
  }

  /// Goes from the head to the body; true if the client waits to be told to send it.
  private mutating func beginBody(bytesFollow: Bool) -> Bool {
    if head.isChunked {
      phase = .chunkSize
    } else {
      let length = head.contentLength ?? 0
      phase = .fixedBody(remaining: length)
      // A client's word is not enough to set memory aside: beyond this, only as bytes come.
      body.reserveCapacity(min(length, 64 * 1024))
      if length == 0 { return false }
    }
    return head.expectsContinue && head.version == .http11 && !bytesFollow
  }

  /// Moves up to `count` bytes into the body; returns how many are still to come.
  private mutating func take(_ count: Int, from bytes: UnsafeRawBufferPointer) -> Int {
    let taken = min(count, bytes.count - start)
    if taken > 0 {
      body.append(contentsOf: bytes[start..<(start + taken)])
      start += taken
      scanned = start
    }
    return count - taken
  }

  private mutating func chunkSize(_ line: UnsafeRawBufferPointer) throws(HTTPParseError) -> Int {
    var size = 0
    var index = 0
    while index < line.count, let digit = ASCII.hexValue(line[index]) {
      guard index < 15 else { throw .malformed("A chunk's size has too many digits.") }
      size = size << 4 | Int(digit)
      index += 1
    }
    guard index > 0, index == line.count || line[index] == ASCII.semicolon,
      ASCII.isFieldValue(UnsafeRawBufferPointer(rebasing: line[index...]))
    else { throw .malformed("A chunk's size is not a hexadecimal number.") }
    chunkExtensionBytes += line.count - index
    guard chunkExtensionBytes <= 16 * 1024 else {
      throw .malformed("The chunk extensions are too long.")
    }
    guard size <= limits.maximumBodyBytes - body.count else {
      throw .bodyTooLarge(maximumBytes: limits.maximumBodyBytes)
    }
    return size
  }

  private func request(body: [UInt8]) -> HTTPRequest {
    HTTPRequest(
      method: head.method, rawPath: head.rawPath, rawQuery: head.rawQuery, version: head.version,
      headers: head.headers, body: body)
  }

  private mutating func finish() -> Event {
    let request = request(body: body)
    let keepsAlive = head.keepsAlive
    phase = .requestLine
    head = PendingHead()
    body = []
    headerBytes = 0
    emptyLines = 0
    chunkExtensionBytes = 0
    return .request(request, keepsAlive: keepsAlive)
  }
}
