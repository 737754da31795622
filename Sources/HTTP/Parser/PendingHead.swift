/// A request's head while its lines come in: what will be in the request, and what decides where
/// the body ends. Of each field that frames the message only one is let in; two that agree are
/// as suspicious as two that don't.
struct PendingHead {
  var method = HTTPMethod.get
  var rawPath = "/"
  var rawQuery: String?
  var version = HTTPVersion.http11
  var headers = HTTPHeaders()

  private(set) var contentLength: Int?
  private(set) var isChunked = false
  private(set) var expectsContinue = false
  private var hostCount = 0
  private var hasTransferEncoding = false
  private var hasUnknownExpectation = false
  private var saysClose = false
  private var saysKeepAlive = false

  /// Whether the connection can be used again after this request.
  var keepsAlive: Bool { !saysClose && (version == .http11 || saysKeepAlive) }

  // MARK: Request line

  /// Reads `GET /path?query HTTP/1.1`, single spaces, no line end.
  mutating func readRequestLine(
    _ line: UnsafeRawBufferPointer, maximumTargetBytes: Int
  ) throws(HTTPParseError) {
    guard let methodEnd = line.firstIndex(of: ASCII.space),
      let targetEnd = line.lastIndex(of: ASCII.space), targetEnd > methodEnd
    else { throw .malformed("The request line is not method, target and version.") }
    let methodBytes = UnsafeRawBufferPointer(rebasing: line[..<methodEnd])
    let target = UnsafeRawBufferPointer(rebasing: line[(methodEnd + 1)..<targetEnd])
    guard ASCII.isToken(methodBytes), methodBytes.count <= 32 else {
      throw .malformed("The method is not a token.")
    }
    guard target.count <= maximumTargetBytes else {
      throw .targetTooLong(maximumBytes: maximumTargetBytes)
    }
    version = try Self.version(UnsafeRawBufferPointer(rebasing: line[(targetEnd + 1)...]))
    method = HTTPMethod(String(decoding: methodBytes, as: UTF8.self))
    try readTarget(target)
  }

  private static func version(
    _ bytes: UnsafeRawBufferPointer
  ) throws(HTTPParseError) -> HTTPVersion {
    guard bytes.count == 8, ASCII.equal(.init(rebasing: bytes[..<4]), "http"),
      bytes[0] == 0x48, bytes[1] == 0x54, bytes[2] == 0x54, bytes[3] == 0x50, bytes[4] == 0x2F,
      ASCII.isDigit(bytes[5]), bytes[6] == 0x2E, ASCII.isDigit(bytes[7])
    else { throw .malformed("The version is not of the form HTTP/1.1.") }
    guard bytes[5] == 0x31 else { throw .unsupportedVersion }
    return bytes[7] == 0x30 ? .http10 : .http11
  }

  private mutating func readTarget(_ target: UnsafeRawBufferPointer) throws(HTTPParseError) {
    for byte in target where byte <= 0x20 || byte >= 0x7F || byte == 0x23 {
      throw .malformed("The target has a character that must be escaped.")
    }
    var rest = target
    if let first = target.first, first != 0x2F {
      if target.count == 1, first == 0x2A, method == .options {
        rawPath = "*"
        return
      }
      rest = try Self.withoutAuthority(target)
    }
    guard !target.isEmpty else { throw .malformed("The target is empty.") }
    guard PercentEncoding.isValid(rest) else {
      throw .malformed("The target has an incomplete or forbidden escape.")
    }
    let pathEnd = rest.firstIndex(of: 0x3F) ?? rest.count
    rawPath = String(decoding: rest[..<pathEnd], as: UTF8.self)
    if rawPath.isEmpty { rawPath = "/" }
    if pathEnd < rest.count {
      rawQuery = String(decoding: rest[(pathEnd + 1)...], as: UTF8.self)
    }
    // Anything but UTF-8 shows as replacement characters when decoded; no path has those.
    guard
      !rawPath.utf8.contains(ASCII.percent)
        || !PercentEncoding.decode(rawPath, plusIsSpace: false).unicodeScalars.contains("\u{FFFD}")
    else { throw .malformed("The path is not UTF-8.") }
  }

  /// The path and query of `http://host/path?query`, a form that every server must accept.
  private static func withoutAuthority(
    _ target: UnsafeRawBufferPointer
  ) throws(HTTPParseError) -> UnsafeRawBufferPointer {
    var authority = 0
    if target.count > 7, ASCII.equal(.init(rebasing: target[..<7]), "http://") {
      authority = 7
    } else if target.count > 8, ASCII.equal(.init(rebasing: target[..<8]), "https://") {
      authority = 8
    } else {
      throw .malformed("The target is neither a path nor an http address.")
    }
    let end = target[authority...].firstIndex { $0 == 0x2F || $0 == 0x3F } ?? target.count
    guard end > authority else { throw .malformed("The target's host is empty.") }
    return UnsafeRawBufferPointer(rebasing: target[end...])
  }

  // MARK: Fields

  /// Splits `name: value`, no line end; throws for everything that two servers could read in two
  /// ways (folded lines, spaces before the colon, control characters).
  static func splitField(
    _ line: UnsafeRawBufferPointer
  ) throws(HTTPParseError) -> (name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
    guard let colon = line.firstIndex(of: ASCII.colon) else {
      throw .malformed("A header line has no colon.")
    }
    let name = UnsafeRawBufferPointer(rebasing: line[..<colon])
    guard ASCII.isToken(name) else { throw .malformed("A header's name is not a token.") }
    let value = ASCII.trimmed(UnsafeRawBufferPointer(rebasing: line[(colon + 1)...]))
    guard ASCII.isFieldValue(value) else {
      throw .malformed("A header's value has a control character.")
    }
    return (name, value)
  }

  /// Reads one field line, no line end.
  mutating func readField(_ line: UnsafeRawBufferPointer) throws(HTTPParseError) {
    let (name, value) = try Self.splitField(line)
    switch name.count {
    case 4 where ASCII.equal(name, "host"): try readHost(value)
    case 6 where ASCII.equal(name, "expect"): readExpectation(value)
    case 10 where ASCII.equal(name, "connection"): readConnection(value)
    case 14 where ASCII.equal(name, "content-length"): try readContentLength(value)
    case 17 where ASCII.equal(name, "transfer-encoding"): try readTransferEncoding(value)
    default: break
    }
    headers.add(
      String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
  }

  private mutating func readHost(_ value: UnsafeRawBufferPointer) throws(HTTPParseError) {
    hostCount += 1
    guard hostCount == 1 else { throw .malformed("There is more than one Host.") }
    for byte in value where byte <= 0x20 || byte >= 0x7F || "/?#@,\\\"<>".utf8.contains(byte) {
      throw .malformed("Host is not a host name.")
    }
  }

  private mutating func readExpectation(_ value: UnsafeRawBufferPointer) {
    if ASCII.equal(value, "100-continue") {
      expectsContinue = true
    } else {
      hasUnknownExpectation = true
    }
  }

  private mutating func readConnection(_ value: UnsafeRawBufferPointer) {
    for part in value.split(separator: 0x2C) {
      let option = ASCII.trimmed(UnsafeRawBufferPointer(rebasing: part))
      if ASCII.equal(option, "close") { saysClose = true }
      if ASCII.equal(option, "keep-alive") { saysKeepAlive = true }
    }
  }

  private mutating func readContentLength(_ value: UnsafeRawBufferPointer) throws(HTTPParseError) {
    guard contentLength == nil else { throw .malformed("There is more than one Content-Length.") }
    // 18 digits are beyond every limit and within Int.
    guard !value.isEmpty, value.count <= 18, value.allSatisfy(ASCII.isDigit) else {
      throw .malformed("Content-Length is not a number of bytes.")
    }
    contentLength = value.reduce(0) { $0 * 10 + Int($1 &- 0x30) }
  }

  private mutating func readTransferEncoding(
    _ value: UnsafeRawBufferPointer
  ) throws(HTTPParseError) {
    guard !hasTransferEncoding else {
      throw .malformed("There is more than one Transfer-Encoding.")
    }
    hasTransferEncoding = true
    isChunked = ASCII.equal(value, "chunked")
    guard !isChunked else { return }
    let codings = value.split(separator: 0x2C, omittingEmptySubsequences: false).map {
      ASCII.trimmed(UnsafeRawBufferPointer(rebasing: $0))
    }
    // Chunked may only be the last coding, and only once; what is left are codings we don't know.
    guard codings.allSatisfy(ASCII.isToken),
      !codings.dropLast().contains(where: { ASCII.equal($0, "chunked") })
    else { throw .malformed("Transfer-Encoding is malformed.") }
  }

  /// Checks what only the whole head can show.
  func validate(maximumBodyBytes: Int) throws(HTTPParseError) {
    if version == .http11, hostCount != 1 { throw .malformed("Host is missing.") }
    if hasTransferEncoding {
      guard version == .http11 else {
        throw .malformed("Transfer-Encoding is not part of HTTP/1.0.")
      }
      guard contentLength == nil else {
        throw .malformed("Content-Length and Transfer-Encoding exclude each other.")
      }
      guard isChunked else { throw .unsupportedTransferCoding }
    }
    if version == .http11, hasUnknownExpectation { throw .unsupportedExpectation }
    if let contentLength, contentLength > maximumBodyBytes {
      throw .bodyTooLarge(maximumBytes: maximumBodyBytes)
    }
  }
}
