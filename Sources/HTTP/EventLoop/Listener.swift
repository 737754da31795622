import CSockets
import Foundation
import Logging

/// The listening socket, and who gets the connections that come in. Belongs to one loop's thread.
final class Listener: @unchecked Sendable {
  enum Outcome {
    case goOn
    /// Leave what comes in the kernel's backlog until ``resumesAt``.
    case pause
  }

  /// Connections beyond the cap that may wait for their 503 at one time.
  private static let refusedAtOnce = 32

  let fileDescriptor: Int32
  let port: Int
  private let maximumConnections: Int
  private let openConnections: ConnectionCount
  private let logger: Logger
  private var loops: [EventLoop] = []
  private var turn = 0
  private var quietUntil: MonotonicInstant?
  /// When to try again, while paused.
  private(set) var resumesAt: MonotonicInstant?

  /// Binds and listens.
  init(
    configuration: HTTPServerConfiguration, openConnections: ConnectionCount, logger: Logger
  ) throws(HTTPServerError) {
    (fileDescriptor, port) = try Self.bind(configuration)
    maximumConnections = max(1, configuration.maximumConnections)
    self.openConnections = openConnections
    self.logger = logger
  }

  func distribute(to loops: [EventLoop]) { self.loops = loops }

  func acceptReady(now: MonotonicInstant) -> Outcome {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { address in
      for _ in 0..<128 {
        let open = openConnections.value
        guard open < maximumConnections + Self.refusedAtOnce else {
          return pause(now: now, reason: "too many connections")
        }
        let accepted = csockets_accept(
          fileDescriptor, address.baseAddress, Int32(address.count))
        if accepted < 0 {
          switch -accepted {
          case EAGAIN: return .goOn
          case EINTR, ECONNABORTED, EPROTO, EPERM: continue
          default:
            // Out of file descriptors or memory, most likely. What waits is served when some are
            // free again.
            return pause(now: now, reason: systemErrorText(-accepted))
          }
        }
        openConnections.increment()
        let loop = loops[turn]
        turn = (turn + 1) % loops.count
        let remoteAddress = address.baseAddress.map { String(cString: $0) } ?? ""
        let isRefused = open >= maximumConnections
        loop.perform {
          loop.adopt(accepted, remoteAddress: remoteAddress, isRefused: isRefused)
        }
      }
      return .goOn
    }
  }

  private func pause(now: MonotonicInstant, reason: String) -> Outcome {
    resumesAt = now.advanced(by: .milliseconds(50))
    if quietUntil.map({ $0 <= now }) ?? true {
      quietUntil = now.advanced(by: .seconds(10))
      logger.warning("accepting is paused", metadata: ["reason": "\(reason)"])
    }
    return .pause
  }

  /// A connection has closed: if accepting is paused, there may be room now.
  func connectionClosed(now: MonotonicInstant) {
    if resumesAt != nil { resumesAt = now }
  }

  func resume() { resumesAt = nil }

  func close() { systemClose(fileDescriptor) }

  // MARK: Binding

  private static func bind(
    _ configuration: HTTPServerConfiguration
  ) throws(HTTPServerError) -> (Int32, port: Int) {
    let host = configuration.host
    guard let port = UInt16(exactly: configuration.port) else {
      throw .invalidPort(configuration.port)
    }
    var hints = addrinfo()
    hints.ai_flags = AI_PASSIVE
    hints.ai_socktype = SocketFlags.stream
    var found: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host.isEmpty ? nil : host, String(port), &hints, &found)
    defer { if let found { freeaddrinfo(found) } }
    guard code == 0 else {
      throw .unknownHost(host, reason: String(cString: gai_strerror(code)))
    }
    var failure: Int32 = 0
    var candidate = found
    while let address = candidate?.pointee {
      let descriptor = socket(address.ai_family, address.ai_socktype, address.ai_protocol)
      if descriptor >= 0 {
        prepare(descriptor)
        if bindAndListen(descriptor, address, backlog: configuration.backlog) {
          return (descriptor, boundPort(of: descriptor) ?? Int(port))
        }
        failure = errno
        systemClose(descriptor)
      } else {
        failure = errno
      }
      candidate = address.ai_next
    }
    throw .cannotListen(host: host, port: Int(port), reason: systemErrorText(failure))
  }

  private static func prepare(_ descriptor: Int32) {
    var on: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size)
    // Accepted sockets inherit it: a response must not wait for the acknowledgement of the last.
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  private static func bindAndListen(
    _ descriptor: Int32, _ address: addrinfo, backlog: Int
  ) -> Bool {
    Foundation.bind(descriptor, address.ai_addr, address.ai_addrlen) == 0
      && Foundation.listen(descriptor, Int32(clamping: max(1, backlog))) == 0
  }

  private static func boundPort(of descriptor: Int32) -> Int? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let isKnown = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getsockname(descriptor, $0, &length) == 0
      }
    }
    guard isKnown else { return nil }
    // The port lies at the same place in both families' addresses.
    return withUnsafeBytes(of: &storage) { bytes in
      Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
    }
  }
}
