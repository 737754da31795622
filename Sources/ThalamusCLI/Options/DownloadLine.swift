import Foundation

/// How far a download is: a line on standard error that changes; where that is no terminal, one every tenth.
struct DownloadLine {
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var name = ""
  /// When the file was begun, or gone on with, and with how many bytes.
  private var start = (time: ContinuousClock.now, byteCount: 0)
  private var lastTenth = -1
  private var lastTime = ContinuousClock.now

  mutating func show(_ byteCount: Int, of total: Int, _ name: String) {
    let now = ContinuousClock.now
    if name != self.name {
      self.name = name
      start = (now, byteCount)
      lastTenth = -1
    }
    let isDone = byteCount >= total
    let tenth = byteCount * 10 / max(total, 1)
    // A terminal shows no more in a second, and the client's thread has to write it.
    guard isDone || (isTerminal ? now - lastTime > .milliseconds(100) : tenth > lastTenth) else {
      return
    }
    lastTime = now
    lastTenth = tenth
    let elapsed = (now - start.time) / .seconds(1)
    let rate = elapsed > 0 ? Double(byteCount - start.byteCount) / elapsed / 1e6 : 0
    let line = String(
      format: "%@  %.1f of %.1f MB  %3.0f %%  %.1f MB/s", name, Double(byteCount) / 1e6,
      Double(total) / 1e6, Double(byteCount) / Double(max(total, 1)) * 100, rate)
    if isTerminal {
      Output.note("\r\(line)\u{1b}[K", terminator: isDone ? "\n" : "")
    } else {
      Output.note(line)
    }
  }
}
