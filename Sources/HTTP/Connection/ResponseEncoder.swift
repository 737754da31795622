/// Writes response heads and chunks as bytes.
package enum ResponseEncoder {
  /// How the end of a body is marked.
  package enum Framing: Equatable {
    case length(Int)
    case chunked
    case untilClose
    case noBody
  }

  /// Writes status line, headers, `Date`, framing and, where it is not the version's default,
  /// `Connection`.
  static func appendHead(
    of response: HTTPResponse, version: HTTPVersion, framing: Framing, keepsAlive: Bool,
    date: [UInt8], to output: inout [UInt8]
  ) {
    appendStatusLine(response.status, to: &output)
    for field in response.headers where !isOurs(field.name) {
      appendField(field.name, field.value, to: &output)
    }
    output.append(contentsOf: date)
    switch framing {
    case .length(let count):
      append("Content-Length: ", to: &output)
      appendDecimal(count, to: &output)
      append("\r\n", to: &output)
    case .chunked: append("Transfer-Encoding: chunked\r\n", to: &output)
    case .untilClose, .noBody: break
    }
    if !keepsAlive {
      append("Connection: close\r\n\r\n", to: &output)
    } else if version == .http10 {
      append("Connection: keep-alive\r\n\r\n", to: &output)
    } else {
      append("\r\n", to: &output)
    }
  }

  static func appendChunk(_ bytes: [UInt8], to output: inout OutputQueue) {
    output.append { buffer in
      appendHexadecimal(bytes.count, to: &buffer)
      append("\r\n", to: &buffer)
    }
    output.append(bytes)
    output.append { append("\r\n", to: &$0) }
  }

  static func append(_ text: StaticString, to output: inout [UInt8]) {
    output.append(
      contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private static func appendStatusLine(_ status: HTTPStatus, to output: inout [UInt8]) {
    if status.code == 200 {
      append("HTTP/1.1 200 OK\r\n", to: &output)
    } else {
      append("HTTP/1.1 ", to: &output)
      appendDecimal(min(max(status.code, 100), 999), to: &output)
      output.append(ASCII.space)
      appendSafely(status.reason, to: &output)
      append("\r\n", to: &output)
    }
  }

  /// Fields that only the connection may write.
  private static func isOurs(_ name: String) -> Bool {
    switch name.utf8.count {
    case 4: HTTPHeaders.namesEqual(name, "date")
    case 10:
      HTTPHeaders.namesEqual(name, "connection") || HTTPHeaders.namesEqual(name, "keep-alive")
    case 14: HTTPHeaders.namesEqual(name, "content-length")
    case 17: HTTPHeaders.namesEqual(name, "transfer-encoding")
    default: false
    }
  }

  private static func appendField(_ name: String, _ value: String, to output: inout [UInt8]) {
    var name = name
    guard name.withUTF8({ ASCII.isToken(UnsafeRawBufferPointer($0)) }) else { return }
    output.append(contentsOf: name.utf8)
    output.append(ASCII.colon)
    output.append(ASCII.space)
    appendSafely(value, to: &output)
    output.append(ASCII.carriageReturn)
    output.append(ASCII.lineFeed)
  }

  /// Appends `text` with spaces in place of control characters: a value that a handler took from
  /// a client must not begin a line of its own.
  private static func appendSafely(_ text: String, to output: inout [UInt8]) {
    let from = output.count
    output.append(contentsOf: text.utf8)
    for index in from..<output.count where output[index] < 0x20 || output[index] == 0x7F {
      output[index] = ASCII.space
    }
  }

  private static func appendDecimal(_ number: Int, to output: inout [UInt8]) {
    if number >= 10 { appendDecimal(number / 10, to: &output) }
    output.append(0x30 + UInt8(number % 10))
  }

  private static func appendHexadecimal(_ number: Int, to output: inout [UInt8]) {
    if number >= 16 { appendHexadecimal(number / 16, to: &output) }
    let digit = UInt8(number % 16)
    output.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
  }
}
