/// One connection's logic, without a socket: bytes and time go in, bytes and actions come out.
///
/// Whoever holds it feeds it (``receive(_:)``, ``inputEnded()``, ``respond(_:now:date:)``, ...)
/// and then calls ``nextAction(now:)`` until it answers `.none`, sends what ``output`` holds, and
/// calls ``deadlineReached(now:)`` at ``deadline``. One request is handled at a time; what a
/// client sends ahead waits in the parser, so responses keep the order of the requests.
package struct ConnectionStateMachine {
  /// What the holder must do.
  package enum Action {
    case none
    /// Run the handler on this request and give its answer to `respond`.
    case dispatch(HTTPRequest)
    /// The client has left: cancel the task of the running handler.
    case cancelHandler
    /// Tell the peer that no more comes, but read on.
    case shutdownWrite
    /// Close the socket. If `reset`, without trying to deliver what is still in its buffers.
    case close(reset: Bool)
  }

  /// Where the connection stands.
  package enum State: Equatable {
    /// Between requests, or in the middle of one.
    case reading
    /// A handler runs and has not answered.
    case handling
    /// A streamed response has begun.
    case streaming(ResponseEncoder.Framing)
    /// The last response waits to be sent.
    case closing(linger: Bool)
    /// All is sent; the peer's bytes are thrown away until it closes, or for the linger time.
    case lingering
    case closed
  }

  private enum ReadDeadlineKind {
    case idle
    case head
    case body
  }

  private let limits: HTTPLimits
  private let timeouts: HTTPTimeouts
  private let renderError: HTTPErrorRenderer
  private let refuseHead: HTTPHeadCheck?

  package private(set) var state = State.reading
  private var parser: HTTPRequestParser
  /// What waits to be sent.
  package private(set) var output = OutputQueue()

  private var readDeadlineKind = ReadDeadlineKind.head
  private var readDeadline: MonotonicInstant?
  private var writeDeadline: MonotonicInstant?
  private var lingerDeadline: MonotonicInstant?
  /// Bytes that must be taken before `writeDeadline` for it to be set anew.
  private var writeQuotaBytes = 0

  private var isInputEnded = false
  private var isDraining = false
  private var mustCancel = false
  private var mustReset = false
  private var requestMethod = HTTPMethod.get
  private var requestVersion = HTTPVersion.http11
  private var requestKeepsAlive = false
  private var hasServedRequest = false

  /// A new connection, which has the header timeout to begin its first request.
  package init(
    limits: HTTPLimits, timeouts: HTTPTimeouts, renderError: @escaping HTTPErrorRenderer,
    refuseHead: HTTPHeadCheck? = nil, now: MonotonicInstant
  ) {
    self.limits = limits
    self.timeouts = timeouts
    self.renderError = renderError
    self.refuseHead = refuseHead
    parser = HTTPRequestParser(limits: limits, announcesHeads: refuseHead != nil)
    readDeadline = now.advanced(by: timeouts.header)
  }

  /// The next point in time at which ``deadlineReached(now:)`` has something to do.
  package var deadline: MonotonicInstant? {
    var earliest = writeDeadline
    if let readDeadline { earliest = min(earliest ?? readDeadline, readDeadline) }
    if let lingerDeadline { earliest = min(earliest ?? lingerDeadline, lingerDeadline) }
    return earliest
  }

  /// Whether bytes from the socket have a place to go.
  package var wantsInput: Bool {
    switch state {
    case .reading: !isInputEnded && output.count <= limits.outputHighWaterBytes
    case .handling, .streaming: !isInputEnded && parser.bufferedBytes < 16 * 1024
    case .closing, .lingering: !isInputEnded
    case .closed: false
    }
  }

  /// Whether few enough bytes wait to be sent that a streamed body's writer may go on.
  package var acceptsBody: Bool { output.count <= limits.outputHighWaterBytes }

  /// Whether a streamed body can still reach the client.
  package var isStreaming: Bool {
    if case .streaming = state { return !isInputEnded }
    return false
  }

  // MARK: What comes from the socket

  /// Bytes from the peer.
  package mutating func receive(_ bytes: UnsafeRawBufferPointer) {
    switch state {
    case .reading, .handling, .streaming: parser.append(bytes)
    case .closing, .lingering, .closed: break
    }
  }

  /// The peer sends no more. While a handler runs that means that the client has left; its
  /// answer is still sent, in case only one direction was closed.
  package mutating func inputEnded() {
    isInputEnded = true
    clientLeft()
  }

  /// The peer sends no more, though bytes that came before may still be unread.
  package mutating func clientLeft() {
    if isHandling { mustCancel = true }
  }

  /// The connection is lost in both directions.
  package mutating func failed() {
    guard state != .closed else { return }
    isInputEnded = true
    if isHandling { mustCancel = true }
    output.clear()
    state = .closed
  }

  /// `sent` bytes of ``output`` went out.
  package mutating func flushed(_ sent: Int, now: MonotonicInstant) {
    output.consume(sent)
    if output.isEmpty {
      writeDeadline = nil
    } else if writeDeadline == nil || sent >= writeQuotaBytes {
      writeQuotaBytes = min(output.count, timeouts.minimumWriteBytes)
      writeDeadline = now.advanced(by: timeouts.write)
    } else {
      writeQuotaBytes -= sent
    }
  }

  // MARK: What comes from the handler

  /// The handler's answer. Returns the framing of a streamed body that is wanted now; nil where
  /// none is (all is in ``output``, or the client is gone).
  package mutating func respond(
    _ response: HTTPResponse, now: MonotonicInstant, date: [UInt8]
  ) -> ResponseEncoder.Framing? {
    guard state == .handling else { return nil }
    let isHead = requestMethod == .head
    let forbidsBody = isHead || response.status.forbidsBody
    switch response.body {
    case .bytes(let bytes):
      let keepsAlive = requestKeepsAlive && !isDraining
      let framing: ResponseEncoder.Framing =
        response.status.forbidsBody ? .noBody : .length(bytes.count)
      appendHead(response, framing: framing, keepsAlive: keepsAlive, date: date)
      if !forbidsBody { output.append(bytes) }
      finishResponse(keepsAlive: keepsAlive)
      return nil
    case .stream:
      let framing: ResponseEncoder.Framing =
        response.status.forbidsBody ? .noBody : requestVersion == .http11 ? .chunked : .untilClose
      if framing == .untilClose { requestKeepsAlive = false }
      let keepsAlive = requestKeepsAlive && !isDraining
      requestKeepsAlive = keepsAlive
      appendHead(response, framing: framing, keepsAlive: keepsAlive, date: date)
      guard !forbidsBody else {
        finishResponse(keepsAlive: keepsAlive)
        return nil
      }
      state = .streaming(framing)
      return framing
    }
  }

  /// A piece of a streamed body. False if the client is gone.
  package mutating func writeBody(_ bytes: [UInt8]) -> Bool {
    guard case .streaming(let framing) = state, !isInputEnded else { return false }
    guard !bytes.isEmpty else { return true }
    if framing == .chunked {
      ResponseEncoder.appendChunk(bytes, to: &output)
    } else {
      output.append(bytes)
    }
    return true
  }

  /// The end of a streamed body.
  package mutating func endBody() {
    guard case .streaming(let framing) = state else { return }
    if framing == .chunked { output.append { ResponseEncoder.append("0\r\n\r\n", to: &$0) } }
    finishResponse(keepsAlive: requestKeepsAlive && !isDraining)
  }

  /// A streamed body broke off: what there is goes out, but not the mark of a proper end, so that
  /// the client can tell.
  package mutating func abortBody() {
    guard case .streaming = state else { return }
    finishResponse(keepsAlive: false)
  }

  private mutating func finishResponse(keepsAlive: Bool) {
    hasServedRequest = true
    mustCancel = false
    state = keepsAlive ? .reading : .closing(linger: parser.bufferedBytes > 0)
    if keepsAlive {
      readDeadlineKind = .idle
      readDeadline = nil
    }
  }

  private mutating func appendHead(
    _ response: HTTPResponse, framing: ResponseEncoder.Framing, keepsAlive: Bool, date: [UInt8]
  ) {
    let version = requestVersion
    output.append {
      ResponseEncoder.appendHead(
        of: response, version: version, framing: framing, keepsAlive: keepsAlive, date: date,
        to: &$0)
    }
  }

  // MARK: What the server wants

  /// Refuses whatever this connection will ask, with 503.
  package mutating func refuse(now: MonotonicInstant, date: [UInt8]) {
    fail(
      HTTPErrorDescription(
        status: .serviceUnavailable, message: "The server has too many connections.",
        code: "too_many_connections"), now: now, date: date)
  }

  /// Ends the connection as soon as the running request is answered; at once if there is none.
  package mutating func drain(now: MonotonicInstant, date: [UInt8]) {
    isDraining = true
    guard state == .reading else { return }
    if parser.progress == .idle {
      state = .closing(linger: false)
    } else {
      fail(
        HTTPErrorDescription(
          status: .serviceUnavailable, message: "The server is shutting down.",
          code: "shutting_down"), now: now, date: date)
    }
  }

  // MARK: Time

  /// Ends what has taken too long.
  package mutating func deadlineReached(now: MonotonicInstant, date: [UInt8]) {
    if let writeDeadline, writeDeadline <= now {
      mustReset = true
      return failed()
    }
    if let lingerDeadline, lingerDeadline <= now {
      state = .closed
      return
    }
    guard state == .reading, let readDeadline, readDeadline <= now else { return }
    switch parser.progress {
    case .idle:
      state = .closing(linger: false)
      self.readDeadline = nil
    case .head, .body:
      fail(
        HTTPErrorDescription(
          status: .requestTimeout, message: "The request did not arrive in time.",
          code: "request_timeout"), now: now, date: date)
    }
  }

  // MARK: Actions

  /// The next thing to do; `.none` when there is nothing until the next input.
  package mutating func nextAction(now: MonotonicInstant, date: [UInt8]) -> Action {
    if mustCancel {
      mustCancel = false
      return .cancelHandler
    }
    while true {
      switch state {
      case .reading:
        guard output.count <= limits.outputHighWaterBytes else { return .none }
        switch parser.next() {
        case .needsMore:
          if isInputEnded {
            state = .closing(linger: false)
            continue
          }
          updateReadDeadline(now: now)
          return .none
        case .head(let request):
          if let refusal = refuseHead?(request) {
            end(with: refusal, hidesBody: request.method == .head, date: date)
          }
        case .sendContinue:
          output.append { ResponseEncoder.append("HTTP/1.1 100 Continue\r\n\r\n", to: &$0) }
        case .request(let request, let keepsAlive):
          requestMethod = request.method
          requestVersion = request.version
          requestKeepsAlive = keepsAlive
          readDeadline = nil
          state = .handling
          // A client that has closed its sending side may have left: the handler runs, cancelled.
          mustCancel = isInputEnded
          return .dispatch(request)
        case .failure(let error):
          fail(error.description, now: now, date: date)
        }
      case .handling, .streaming:
        return .none
      case .closing(let linger):
        readDeadline = nil
        guard output.isEmpty else { return .none }
        guard linger, !isInputEnded else {
          state = .closed
          continue
        }
        state = .lingering
        lingerDeadline = now.advanced(by: timeouts.linger)
        return .shutdownWrite
      case .lingering:
        guard isInputEnded else { return .none }
        state = .closed
      case .closed:
        readDeadline = nil
        writeDeadline = nil
        lingerDeadline = nil
        return .close(reset: mustReset)
      }
    }
  }

  private var isHandling: Bool {
    switch state {
    case .handling, .streaming: true
    default: false
    }
  }

  private mutating func updateReadDeadline(now: MonotonicInstant) {
    let kind: ReadDeadlineKind
    let timeout: Duration
    switch parser.progress {
    case .idle:
      // The first request must begin within the header timeout, set when the connection began.
      guard hasServedRequest else { return }
      (kind, timeout) = (.idle, timeouts.idle)
    case .head: (kind, timeout) = (.head, timeouts.header)
    case .body: (kind, timeout) = (.body, timeouts.body)
    }
    if readDeadline == nil || kind != readDeadlineKind {
      readDeadlineKind = kind
      readDeadline = now.advanced(by: timeout)
    }
  }

  /// Answers with an error and closes.
  private mutating func fail(
    _ error: HTTPErrorDescription, now: MonotonicInstant, date: [UInt8]
  ) {
    end(with: renderError(error, parser.partialHead), date: date)
  }

  /// Answers what was not read to its end, and closes.
  private mutating func end(
    with response: HTTPResponse, hidesBody: Bool = false, date: [UInt8]
  ) {
    requestVersion = .http11
    if case .bytes(let bytes) = response.body {
      appendHead(response, framing: .length(bytes.count), keepsAlive: false, date: date)
      if !hidesBody { output.append(bytes) }
    }
    readDeadline = nil
    state = .closing(linger: true)
  }
}
