import Foundation

/// A line on standard error that grows; where that is no terminal, a line every tenth.
struct ProgressBar {
  private let total: Int
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let start = Date()
  private var lastTenth = -1

  init(total: Int) { self.total = total }

  mutating func show(_ done: Int, _ text: String) {
    let share = total > 0 ? Double(done) / Double(total) : 1
    let elapsed = Date().timeIntervalSince(start)
    let left = share > 0 ? elapsed / share - elapsed : 0
    let line = String(
      format: "%d/%d  %3.0f %%  %@  %.0f s left", done, total, share * 100, text, left)
    if isTerminal {
      let filled = Int(share * 30)
      let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 30 - filled)
      Output.note("\r\(bar) \(line)\u{1b}[K", terminator: done == total ? "\n" : "")
    } else if Int(share * 10) > lastTenth {
      lastTenth = Int(share * 10)
      Output.note(line)
    }
  }
}
