import CSockets
import Foundation
import Logging
import Synchronization

/// A thread that waits for its sockets and does what comes, and that is also the executor of the
/// tasks that its requests' handlers run in. A short request is so read, handled and answered in
/// one turn, without a hop to another thread.
///
/// All state but `inbox` belongs to the loop's thread.
final class EventLoop: TaskExecutor, @unchecked Sendable {
  private struct Inbox {
    var jobs: [UnownedJob] = []
    var closures: [@Sendable () -> Void] = []
    var isSignalled = false
    /// The thread has ended.
    var isClosed = false
  }

  private static let wakeToken = UInt64.max
  private static let listenerToken = UInt64.max - 1

  let handler: HTTPHandler
  let configuration: HTTPServerConfiguration
  let logger: Logger
  private let onDrained: @Sendable () -> Void
  /// Open connections of all loops of the server.
  private let openConnections: ConnectionCount

  private let poller: Int32
  private let wakeDescriptor: Int32
  private let inbox = Mutex(Inbox())
  private var thread = pthread_self()

  /// The time at which this turn began.
  private(set) var now = MonotonicInstant.now()
  private(set) var dateLine: [UInt8] = []
  let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)

  private var date = DateHeader()
  private var timers: TimerWheel
  private var jobs: [UnownedJob] = []
  /// Connections by file descriptor.
  private var connections: [Connection?] = []
  private var connectionCount = 0
  private var generation: UInt64 = 0
  private var touched: [Connection] = []
  private var touchedAgain: [Connection] = []
  private var runningHandlers = 0
  private var listener: Listener?
  private var isDraining = false
  private var hasToldDrained = false
  private var isOver = false
  private var graceDeadline: MonotonicInstant?
  private var handlerDeadline: MonotonicInstant?

  init(
    configuration: HTTPServerConfiguration, handler: @escaping HTTPHandler, logger: Logger,
    openConnections: ConnectionCount, onDrained: @escaping @Sendable () -> Void
  ) throws(HTTPServerError) {
    self.configuration = configuration
    self.handler = handler
    self.logger = logger
    self.openConnections = openConnections
    self.onDrained = onDrained
    timers = TimerWheel(now: .now())
    poller = csockets_poller_create()
    wakeDescriptor = csockets_wakeup_create()
    let isWatched =
      poller >= 0 && wakeDescriptor >= 0
      && csockets_watch_readable(poller, wakeDescriptor, Self.wakeToken) >= 0
    guard isWatched else {
      throw .system(call: "epoll", reason: systemErrorText(errno))
    }
  }

  deinit {
    if poller >= 0 { systemClose(poller) }
    if wakeDescriptor >= 0 { systemClose(wakeDescriptor) }
    readBuffer.deallocate()
  }

  /// Starts the thread.
  func start(name: String) {
    let isStarted = DispatchSemaphore(value: 0)
    let thread = Thread { [self] in
      self.thread = pthread_self()
      isStarted.signal()
      run()
    }
    thread.name = name
    thread.stackSize = 8 << 20
    thread.start()
    isStarted.wait()
  }

  // MARK: From any thread

  /// Whether the caller runs on this loop's thread.
  var isCurrent: Bool { pthread_equal(pthread_self(), thread) != 0 }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if isCurrent, !isOver {
      jobs.append(job)
    } else if !post({ $0.jobs.append(job) }) {
      // A task that outlived the server: it still must come to its end.
      DispatchQueue.global().async { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
  }

  /// Runs `closure` on the loop's thread; at once where the caller is on it.
  func perform(_ closure: @escaping @Sendable () -> Void) {
    if isCurrent || !post({ $0.closures.append(closure) }) { closure() }
  }

  /// Hands something to the loop's thread; false if that has ended.
  private func post(_ add: (inout Inbox) -> Void) -> Bool {
    let (isTaken, mustWake) = inbox.withLock { inbox in
      guard !inbox.isClosed else { return (false, false) }
      add(&inbox)
      defer { inbox.isSignalled = true }
      return (true, !inbox.isSignalled)
    }
    if mustWake {
      var one: UInt64 = 1
      // A full counter is as good as one more: the loop wakes either way.
      _ = write(wakeDescriptor, &one, 8)
    }
    return isTaken
  }

  // MARK: The loop

  private func run() {
    let executor = asUnownedTaskExecutor()
    let events = UnsafeMutableBufferPointer<csockets_event>.allocate(capacity: 256)
    defer { events.deallocate() }
    while !isFinished {
      let count = csockets_wait(poller, events.baseAddress, 256, timeoutMilliseconds())
      now = .now()
      dateLine = date.current()
      for index in 0..<max(0, Int(count)) { handle(events[index]) }
      for token in timers.expire(now: now) {
        connection(token)?.handleTimer(now: now, currentTick: timers.current)
      }
      resumeAccepting()
      finishTurn(executor)
      if isDraining { checkDrained() }
    }
    close(executor)
  }

  /// The thread's last act: what came in until now is still done.
  private func close(_ executor: UnownedTaskExecutor) {
    isOver = true
    let left = inbox.withLock { inbox in
      defer { inbox = Inbox(isClosed: true) }
      return inbox
    }
    for closure in left.closures { closure() }
    for job in jobs + left.jobs { job.runSynchronously(on: executor) }
    jobs = []
  }

  private var isFinished: Bool { hasToldDrained && runningHandlers == 0 }

  private func handle(_ event: csockets_event) {
    switch event.token {
    case Self.wakeToken: takeInbox()
    case Self.listenerToken: acceptReady()
    default: connection(event.token)?.handle(event.flags)
    }
  }

  /// Runs what is ready and sends what it made, for a few rounds; then the sockets get a look.
  private func finishTurn(_ executor: UnownedTaskExecutor) {
    let again = touchedAgain
    touchedAgain = []
    for connection in again { connection.resumeReading() }
    for _ in 0..<8 {
      guard !jobs.isEmpty || !touched.isEmpty else { return }
      var ready: [UnownedJob] = []
      swap(&ready, &jobs)
      for job in ready { job.runSynchronously(on: executor) }
      var finishing: [Connection] = []
      swap(&finishing, &touched)
      for connection in finishing {
        connection.isTouched = false
        connection.finishTurn()
        arm(connection)
      }
    }
  }

  private func timeoutMilliseconds() -> Int32 {
    if !jobs.isEmpty || !touched.isEmpty || !touchedAgain.isEmpty { return 0 }
    var next = timers.next
    let abortAt = connectionCount > 0 ? graceDeadline : nil
    for other in [listener?.resumesAt, abortAt, handlerDeadline] {
      if let other { next = min(next ?? other, other) }
    }
    guard let next else { return -1 }
    let current = MonotonicInstant.now()
    guard next > current else { return 0 }
    let milliseconds = (next.nanoseconds - current.nanoseconds) / 1_000_000 + 1
    return Int32(min(milliseconds, 60_000))
  }

  private func takeInbox() {
    var counter: UInt64 = 0
    _ = read(wakeDescriptor, &counter, 8)
    let taken = inbox.withLock { inbox in
      defer { inbox = Inbox() }
      return inbox
    }
    jobs += taken.jobs
    for closure in taken.closures { closure() }
  }

  // MARK: Connections

  private func connection(_ token: UInt64) -> Connection? {
    let index = Int(token & 0xFFFF_FFFF)
    guard index < connections.count, let connection = connections[index],
      connection.token == token
    else { return nil }
    return connection
  }

  /// Takes over an accepted socket, which is counted in `openConnections` already.
  func adopt(_ fileDescriptor: Int32, remoteAddress: String, isRefused: Bool) {
    generation = (generation + 1) & 0x7FFF_FFFF
    let token = generation << 32 | UInt64(UInt32(bitPattern: fileDescriptor))
    let machine = ConnectionStateMachine(
      limits: configuration.limits, timeouts: configuration.timeouts,
      renderError: configuration.errorRenderer, refuseHead: configuration.refuseHead, now: now)
    let connection = Connection(
      fileDescriptor: fileDescriptor, token: token, remoteAddress: remoteAddress, loop: self,
      machine: machine)
    let index = Int(fileDescriptor)
    while connections.count <= index { connections.append(nil) }
    guard !hasToldDrained,
      csockets_watch_connection(poller, fileDescriptor, token) >= 0
    else {
      systemClose(fileDescriptor)
      openConnections.decrement()
      return
    }
    connections[index] = connection
    connectionCount += 1
    if isRefused { connection.refuse() } else if isDraining { connection.drain() }
    touch(connection)
  }

  /// Forgets a connection that is about to close its socket.
  func remove(_ connection: Connection) {
    let index = Int(connection.fileDescriptor)
    guard index < connections.count, connections[index] === connection else { return }
    connections[index] = nil
    connectionCount -= 1
    openConnections.decrement()
    listener?.connectionClosed(now: now)
  }

  /// Has the connection send what it has, and its deadline looked at, before the loop waits.
  func touch(_ connection: Connection) {
    guard !connection.isTouched else { return }
    connection.isTouched = true
    touched.append(connection)
  }

  /// Has the connection read on in the next turn, after the other connections.
  func touchAgain(_ connection: Connection) {
    touchedAgain.append(connection)
  }

  func handlerStarted() { runningHandlers += 1 }

  func handlerFinished() { runningHandlers -= 1 }

  private func arm(_ connection: Connection) {
    guard let deadline = connection.deadline else { return }
    let tick = timers.tick(of: deadline)
    guard tick < connection.scheduledTick else { return }
    connection.scheduledTick = tick
    timers.schedule(connection.token, atTick: tick)
  }

  // MARK: Accepting

  /// Has this loop accept for all of `loops`.
  func listen(_ listener: Listener) {
    self.listener = listener
    watchListener()
  }

  private func watchListener() {
    guard let listener else { return }
    _ = csockets_watch_readable(poller, listener.fileDescriptor, Self.listenerToken)
  }

  private func acceptReady() {
    guard let listener else { return }
    if listener.acceptReady(now: now) == .pause {
      _ = csockets_unwatch(poller, listener.fileDescriptor)
    }
  }

  private func resumeAccepting() {
    guard let listener, let resumesAt = listener.resumesAt, resumesAt <= now else { return }
    listener.resume()
    watchListener()
  }

  // MARK: Ending

  /// Stops accepting, ends idle connections, and lets running requests finish until the deadline.
  func drain(graceDeadline: MonotonicInstant) {
    self.graceDeadline = min(graceDeadline, self.graceDeadline ?? graceDeadline)
    guard !isDraining else { return }
    isDraining = true
    if let listener {
      _ = csockets_unwatch(poller, listener.fileDescriptor)
      listener.close()
      self.listener = nil
    }
    for connection in connections { connection?.drain() }
  }

  private func checkDrained() {
    guard !hasToldDrained else { return }
    if let graceDeadline, graceDeadline <= now {
      for connection in connections { connection?.abort() }
    }
    guard connectionCount == 0 else { return }
    // A handler whose connection is gone may still have to write down what came of its request:
    // who waits for the end must not take away what it writes to.
    if runningHandlers > 0 {
      let deadline = handlerDeadline ?? now.advanced(by: configuration.handlerGrace)
      handlerDeadline = deadline
      guard deadline <= now else { return }
    }
    hasToldDrained = true
    handlerDeadline = nil
    graceDeadline = nil
    onDrained()
  }
}
