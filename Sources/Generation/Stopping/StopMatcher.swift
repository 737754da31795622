/// Looks for stop strings in text that comes in pieces, and holds back what may be the beginning
/// of one, so that no part of a stop string is ever sent.
///
/// It compares UTF-8 bytes, not characters: "\r\n" is one character in Swift, and a stop string
/// "\n" must still be found in it.
package struct StopMatcher: Sendable {
  /// What a piece of text led to.
  package struct Outcome: Sendable, Equatable {
    /// Text that can be sent.
    package var text: String
    /// The stop string that was found; nothing may be sent after it.
    package var matched: String?
  }

  private let stops: [(string: String, bytes: [UInt8])]
  private var held: [UInt8] = []

  package init(stops: [String]) {
    self.stops = stops.filter { !$0.isEmpty }.map { ($0, Array($0.utf8)) }
  }

  /// Takes the next piece.
  package mutating func take(_ piece: String) -> Outcome {
    guard !stops.isEmpty else { return Outcome(text: piece, matched: nil) }
    held.append(contentsOf: piece.utf8)
    for start in held.indices {
      let rest = held[start...]
      // Where several stop strings begin at one place, the first listed wins.
      if let stop = stops.first(where: { rest.starts(with: $0.bytes) }) {
        let text = String(decoding: held[..<start], as: UTF8.self)
        held.removeAll()
        return Outcome(text: text, matched: stop.string)
      }
      if stops.contains(where: { $0.bytes.count > rest.count && $0.bytes.starts(with: rest) }) {
        let text = String(decoding: held[..<start], as: UTF8.self)
        held.removeFirst(start)
        return Outcome(text: text, matched: nil)
      }
    }
    let text = String(decoding: held, as: UTF8.self)
    held.removeAll()
    return Outcome(text: text, matched: nil)
  }

  /// What was held back, once no more text comes: up to a whole stop string that the beginning of a
  /// longer one hid.
  package mutating func finish() -> Outcome {
    defer { held.removeAll() }
    for start in held.indices {
      if let stop = stops.first(where: { held[start...].starts(with: $0.bytes) }) {
        return Outcome(
          text: String(decoding: held[..<start], as: UTF8.self), matched: stop.string)
      }
    }
    return Outcome(text: String(decoding: held, as: UTF8.self), matched: nil)
  }
}
