import Foundation

/// A blocking client socket that sends exactly what it is told to, right or wrong. Used by one
/// thread at a time.
final class SocketClient: @unchecked Sendable {
  private let descriptor: Int32
  private var isOpen = true

  /// Connects to a port of this machine. Reads give up after `timeoutSeconds`.
  init(port: Int, timeoutSeconds: Int = 120, receiveBufferBytes: Int? = nil) throws {
    #if os(Linux)
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #else
      descriptor = socket(AF_INET, SOCK_STREAM, 0)
    #endif
    if var size = receiveBufferBytes.map(Int32.init) {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    var timeout = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port)).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let code = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0 else {
      let reason = errno
      Foundation.close(descriptor)
      isOpen = false
      throw POSIXError(POSIXErrorCode(rawValue: reason) ?? .EIO)
    }
  }

  deinit { close() }

  func close() {
    if isOpen { Foundation.close(descriptor) }
    isOpen = false
  }

  /// Closes with a reset, as a killed client's kernel may.
  func reset() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// False if the server no longer takes bytes.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var start = 0
    while start < bytes.count {
      let sent = bytes[start...].withUnsafeBytes {
        Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard sent > 0 else { return false }
      start += sent
    }
    return true
  }

  @discardableResult
  func send(_ text: String) -> Bool { send(Array(text.utf8)) }

  /// What comes next; empty at the end (or after a reset); nil when the time is up.
  func read(atMost count: Int = 65536) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: count)
    let received = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
    if received < 0 { return errno == EAGAIN || errno == EWOULDBLOCK ? nil : [] }
    return Array(buffer[..<received])
  }

  /// Everything until the server closes; nil if it does not in time.
  func readToEnd() -> String? {
    var bytes: [UInt8] = []
    while let more = read() {
      if more.isEmpty { return String(decoding: bytes, as: UTF8.self) }
      bytes += more
    }
    return nil
  }

  /// Reads until `text` has come; returns all that was read.
  func read(until text: String) -> String {
    var bytes: [UInt8] = []
    let wanted = Array(text.utf8)
    while let more = read(), !more.isEmpty {
      bytes += more
      if bytes.count >= wanted.count, String(decoding: bytes, as: UTF8.self).contains(text) {
        break
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// One response with a Content-Length: its head and its body.
  func readResponse(hasBody: Bool = true) -> (head: String, body: String) {
    var bytes: [UInt8] = []
    while !bytes.suffix(4).elementsEqual(Array("\r\n\r\n".utf8)) {
      guard let next = read(atMost: 1), !next.isEmpty else {
        return (String(decoding: bytes, as: UTF8.self), "")
      }
      bytes += next
    }
    let head = String(decoding: bytes, as: UTF8.self)
    let length = head.split(separator: "\r\n").first {
      $0.lowercased().hasPrefix("content-length:")
    }
    var missing = hasBody ? length.flatMap { Int($0.split(separator: " ").last ?? "") } ?? 0 : 0
    var body: [UInt8] = []
    while missing > 0, let next = read(atMost: missing), !next.isEmpty {
      body += next
      missing -= next.count
    }
    return (head, String(decoding: body, as: UTF8.self))
  }
}

/// Runs blocking client code off Swift's cooperative threads, of which there may be only one.
func onThread<Value: Sendable>(
  _ work: @escaping @Sendable () throws -> Value
) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    let thread = Thread { continuation.resume(with: Result { try work() }) }
    thread.start()
  }
}
