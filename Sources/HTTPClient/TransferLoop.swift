import CCurl
import Foundation
import Synchronization

/// The thread that moves all transfers of a client: libcurl's handles are touched by it alone.
final class TransferLoop: @unchecked Sendable {
  /// What other threads have asked for and the loop has not seen yet.
  private struct Mailbox {
    var starting: [Transfer] = []
    var cancelled: [Transfer] = []
    var isShutDown = false
  }

  private let mailbox = Mutex(Mailbox())
  /// Only the loop's thread uses it; `curl_multi_wakeup` is the one function that others may call, and they do so
  /// under the mailbox's lock, so that it is never called on a handle that is freed.
  private let multi: UnsafeMutableRawPointer
  /// Those that run, by their handle. On the loop's thread only.
  private var running: [UnsafeMutableRawPointer: Transfer] = [:]

  /// More wait inside libcurl for one of these to be free.
  private static let connectionsPerHost = 64
  private static let connections = 256

  /// Once a process, before any thread uses libcurl.
  private static let isPrepared = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK

  init() throws(HTTPClientError) {
    guard Self.isPrepared, let multi = curl_multi_init() else {
      throw .invalidRequest("libcurl cannot be started")
    }
    self.multi = multi
    _ = cc_set_multi_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, Self.connectionsPerHost)
    _ = cc_set_multi_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, Self.connections)
    let thread = Thread { [self] in run() }
    thread.name = "thalamus.client"
    thread.start()
  }

  /// Begins a transfer, which reports by itself.
  func start(_ transfer: Transfer) {
    let isShutDown = mailbox.withLock { mailbox in
      guard !mailbox.isShutDown else { return true }
      mailbox.starting.append(transfer)
      curl_multi_wakeup(multi)
      return false
    }
    if isShutDown { transfer.end(.shutDown) }
  }

  /// Ends a transfer that nobody waits for, begun or not.
  func cancel(_ transfer: Transfer) {
    transfer.isCancelled.store(true, ordering: .releasing)
    mailbox.withLock { mailbox in
      guard !mailbox.isShutDown else { return }
      mailbox.cancelled.append(transfer)
      curl_multi_wakeup(multi)
    }
  }

  /// Ends all transfers, and the thread.
  func shutDown() {
    mailbox.withLock { mailbox in
      guard !mailbox.isShutDown else { return }
      mailbox.isShutDown = true
      curl_multi_wakeup(multi)
    }
  }

  // MARK: - On the thread

  private func run() {
    var isOver = false
    while !isOver {
      let news = mailbox.withLock { mailbox in
        defer {
          mailbox.starting = []
          mailbox.cancelled = []
        }
        return mailbox
      }
      isOver = news.isShutDown
      for transfer in news.starting { begin(transfer) }
      for transfer in news.cancelled where transfer.handle != nil {
        finish(transfer, .cancelled)
      }
      var count: Int32 = 0
      curl_multi_perform(multi, &count)
      readMessages()
      // What libcurl itself waits for, such as a limit on time, shortens the wait.
      if !isOver { curl_multi_poll(multi, nil, 0, 60_000, nil) }
    }
    for transfer in Array(running.values) { finish(transfer, .shutDown) }
    // Nobody calls `curl_multi_wakeup` any more.
    curl_multi_cleanup(multi)
  }

  private func begin(_ transfer: Transfer) {
    guard !transfer.isCancelled.load(ordering: .acquiring) else { return transfer.end(.cancelled) }
    do throws(HTTPClientError) {
      let handle = try transfer.open()
      guard curl_multi_add_handle(multi, handle) == CURLM_OK else {
        transfer.close()
        return transfer.end(.invalidRequest("libcurl takes no more transfers"))
      }
      running[handle] = transfer
    } catch {
      transfer.close()
      transfer.end(error)
    }
  }

  private func readMessages() {
    var left: Int32 = 0
    while let message = curl_multi_info_read(multi, &left) {
      guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle,
        let transfer = running[handle]
      else { continue }
      // The message is gone with the handle.
      let result = cc_result(message)
      finish(transfer, transfer.problem(result))
    }
  }

  private func finish(_ transfer: Transfer, _ problem: HTTPClientError?) {
    if let handle = transfer.handle {
      running[handle] = nil
      curl_multi_remove_handle(multi, handle)
    }
    transfer.close()
    transfer.end(problem)
  }
}
