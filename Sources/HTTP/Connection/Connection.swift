import CSockets
import Foundation

/// A client's socket, and the state machine that decides what happens on it. Everything here runs
/// on the event loop's thread, which is what makes it safe to share; only ``write(_:request:)``
/// may be called from elsewhere.
final class Connection: @unchecked Sendable {
  let fileDescriptor: Int32
  /// Names this connection in the poller and the timers; never used twice by a loop.
  let token: UInt64
  private let loop: EventLoop
  private let remoteAddress: String
  private var machine: ConnectionStateMachine

  /// The socket may have bytes to read. The poller tells of changes only, so it is remembered.
  private var isReadable = false
  private var isWritable = true
  private var isPeerClosed = false
  private var isClosed = false
  private var task: Task<Void, Never>?
  /// Counts the requests, so that a body writer kept beyond its request can't write into another's.
  private var request: UInt64 = 0
  private var waitingWriters: [UnsafeContinuation<Bool, Never>] = []

  /// Already in the loop's list of connections to finish in this turn.
  var isTouched = false
  /// The timer tick at which the loop looks at this connection's deadline.
  var scheduledTick = UInt64.max

  init(
    fileDescriptor: Int32, token: UInt64, remoteAddress: String, loop: EventLoop,
    machine: ConnectionStateMachine
  ) {
    self.fileDescriptor = fileDescriptor
    self.token = token
    self.remoteAddress = remoteAddress
    self.loop = loop
    self.machine = machine
  }

  var deadline: MonotonicInstant? { isClosed ? nil : machine.deadline }

  // MARK: From the loop

  /// The poller has seen something.
  func handle(_ flags: UInt32) {
    guard !isClosed else { return }
    if flags & UInt32(CSOCKETS_WRITABLE) != 0 { isWritable = true }
    if flags & UInt32(CSOCKETS_READABLE) != 0 { isReadable = true }
    if flags & UInt32(CSOCKETS_PEER_CLOSED) != 0 {
      isPeerClosed = true
      isReadable = true
    }
    if flags & UInt32(CSOCKETS_HANGUP) != 0 {
      machine.failed()
    }
    read()
    if isPeerClosed {
      machine.clientLeft()
      advance()
    }
    loop.touch(self)
  }

  /// The timer has come around; the deadline may have moved on.
  func handleTimer(now: MonotonicInstant, currentTick: UInt64) {
    // An entry left behind when the deadline moved forward: the one that counts is still to come.
    guard !isClosed, scheduledTick <= currentTick else { return }
    scheduledTick = .max
    if let deadline, deadline <= now {
      machine.deadlineReached(now: now, date: loop.dateLine)
      advance()
    }
    loop.touch(self)
  }

  /// The turn's end: sends what has gathered.
  func finishTurn() {
    guard !isClosed else { return }
    flush()
    advance()
    if !isClosed, isReadable, machine.wantsInput { loop.touchAgain(self) }
  }

  /// Reads on where a turn's share, or a full output, had stopped it.
  func resumeReading() {
    guard !isClosed else { return }
    read()
    loop.touch(self)
  }

  func refuse() {
    machine.refuse(now: loop.now, date: loop.dateLine)
    advance()
    loop.touch(self)
  }

  func drain() {
    guard !isClosed else { return }
    machine.drain(now: loop.now, date: loop.dateLine)
    advance()
    loop.touch(self)
  }

  /// Cuts the connection, whatever runs.
  func abort() {
    guard !isClosed else { return }
    machine.failed()
    advance()
  }

  // MARK: The socket

  private func read() {
    // A client that sends without pause must not keep the loop from the others.
    var turns = 8
    while isReadable, !isClosed, machine.wantsInput {
      guard turns > 0 else { break }
      turns -= 1
      let buffer = loop.readBuffer
      let count = recv(fileDescriptor, buffer.baseAddress, buffer.count, 0)
      if count > 0 {
        if count < buffer.count, !isPeerClosed { isReadable = false }
        machine.receive(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      } else if count == 0 {
        isReadable = false
        machine.inputEnded()
      } else if errno == EAGAIN || errno == EWOULDBLOCK {
        isReadable = false
      } else if errno != EINTR {
        isReadable = false
        machine.failed()
      }
      advance()
    }
    advance()
  }

  private func flush() {
    guard !machine.output.isEmpty else { return }
    while isWritable, !machine.output.isEmpty {
      let flags =
        SocketFlags.noSignal
        | (machine.output.hasMoreThanFirst ? SocketFlags.more : 0)
      var wanted = 0
      let sent = machine.output.withFirst { bytes in
        wanted = bytes.count
        return send(fileDescriptor, bytes.baseAddress, bytes.count, flags)
      }
      if sent >= 0 {
        if sent < wanted { isWritable = false }
        machine.flushed(sent, now: loop.now)
      } else if errno == EAGAIN || errno == EWOULDBLOCK {
        isWritable = false
      } else if errno != EINTR {
        machine.failed()
        return
      }
    }
    if !machine.output.isEmpty { machine.flushed(0, now: loop.now) }
    if machine.acceptsBody { resumeWriters() }
  }

  /// Does what the state machine asks for, until it asks for nothing.
  private func advance() {
    while !isClosed {
      switch machine.nextAction(now: loop.now, date: loop.dateLine) {
      case .none: return
      case .dispatch(let request): start(request)
      case .cancelHandler:
        task?.cancel()
        resumeWriters()
      case .shutdownWrite: shutdown(fileDescriptor, Int32(SHUT_WR))
      case .close(let reset): close(reset: reset)
      }
    }
  }

  private func close(reset: Bool) {
    isClosed = true
    if reset {
      // The peer has had its time: drop what the kernel still holds for it.
      var option = linger(l_onoff: 1, l_linger: 0)
      setsockopt(
        fileDescriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }
    loop.remove(self)
    systemClose(fileDescriptor)
    resumeWriters()
  }

  // MARK: The handler

  private func start(_ request: HTTPRequest) {
    self.request += 1
    let serial = self.request
    var request = request
    request.remoteAddress = remoteAddress
    let handler = loop.handler
    loop.handlerStarted()
    task = Task(executorPreference: loop) { [self, request] in
      let response = await handler(request)
      if let produce = respond(response) {
        do {
          try await produce(HTTPBodyWriter { try await self.write($0, request: serial) })
          machine.endBody()
        } catch {
          machine.abortBody()
        }
      }
      task = nil
      loop.handlerFinished()
      advance()
      loop.touch(self)
    }
  }

  /// Sends the answer; returns the function that makes the rest of it, where there is one.
  private func respond(
    _ response: HTTPResponse
  ) -> (@Sendable (HTTPBodyWriter) async throws -> Void)? {
    let framing = machine.respond(response, now: loop.now, date: loop.dateLine)
    guard framing != nil, case .stream(let produce) = response.body else { return nil }
    loop.touch(self)
    return produce
  }

  /// Sends a piece of a streamed body; returns when the client has taken enough of it.
  private func write(_ bytes: [UInt8], request: UInt64) async throws {
    let isDelivered: Bool
    if loop.isCurrent, let result = writeNow(bytes, request: request) {
      isDelivered = result
    } else {
      let isWritten = loop.isCurrent
      isDelivered = await withUnsafeContinuation { continuation in
        loop.perform { [self] in
          let result = isWritten ? stillWaits(request: request) : writeNow(bytes, request: request)
          if let result {
            continuation.resume(returning: result)
          } else {
            waitingWriters.append(continuation)
          }
        }
      }
    }
    guard isDelivered else { throw HTTPWriteError.disconnected }
  }

  /// Whether the client is still there; nil if the writer must wait before it goes on.
  private func writeNow(_ bytes: [UInt8], request: UInt64) -> Bool? {
    guard request == self.request, machine.writeBody(bytes) else { return false }
    loop.touch(self)
    return machine.acceptsBody ? true : nil
  }

  private func stillWaits(request: UInt64) -> Bool? {
    guard request == self.request, machine.isStreaming else { return false }
    return machine.acceptsBody ? true : nil
  }

  private func resumeWriters() {
    guard !waitingWriters.isEmpty else { return }
    let writers = waitingWriters
    waitingWriters = []
    for writer in writers { writer.resume(returning: machine.isStreaming) }
  }
}
