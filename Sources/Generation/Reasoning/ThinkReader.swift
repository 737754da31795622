/// Reads `<think>…</think>` in front of an answer, or what a style has in its place. White space around the thinking, and between it and the answer, is
/// neither's.
struct ThinkReader: Sendable {
  typealias Piece = ReasoningReader.Piece

  private(set) var phase: ReasoningReader.Phase
  /// Bytes that may be a part of a mark, or white space that may be dropped.
  private var held: [UInt8] = []
  private var hasReasoned = false
  /// Whether white space that comes next is dropped.
  private(set) var skipsSpace: Bool

  private let open: [UInt8]
  private let close: [UInt8]
  /// What a model writes behind the opening mark; a prompt that has opened the thinking has it already.
  private let header: [UInt8]
  /// Whether that may come next.
  private var isHeaderDue = false

  init(_ bounds: (open: String, close: String), header: String, _ start: ReasoningReader.Start) {
    open = Array(bounds.open.utf8)
    close = Array(bounds.close.utf8)
    self.header = Array(header.utf8)
    skipsSpace = start == .closed
    phase =
      switch start {
      case .undecided: .undecided
      case .reasoning: .reasoning
      case .closed, .answer: .answer
      }
  }

  mutating func take(_ text: String) -> [Piece] {
    if phase == .answer, !skipsSpace { return text.isEmpty ? [] : [.answer(text)] }
    held += text.utf8
    var found: [Piece] = []
    while step(&found) {}
    return found
  }

  mutating func finish() -> [Piece] {
    defer { held = [] }
    switch phase {
    case .reasoning:
      // A mark that was cut off is no thought; a single byte of one may well be.
      let cut = partialMark()
      return reasoning(upTo: held.count - (cut > 1 ? cut : 0)).map { [$0] } ?? []
    case .answer where skipsSpace: return []
    default: return held.isEmpty ? [] : [.answer(String(decoding: held, as: UTF8.self))]
    }
  }

  /// Goes on by what is certain; false where more has to come first.
  private mutating func step(_ found: inout [Piece]) -> Bool {
    let text = held.drop(while: Self.isSpace)
    switch phase {
    case .undecided,
      .reasoning where !hasReasoned:
      // A model may open once more what the prompt has opened.
      if text.starts(with: open) {
        held = Array(text.dropFirst(open.count))
        phase = .reasoning
        isHeaderDue = !header.isEmpty
        return true
      }
      if open.starts(with: text) { return false }
      if phase == .reasoning, isHeaderDue { return dropHeader(text) }
      if phase == .reasoning { return reason(&found) }
      phase = .answer
      return true
    case .reasoning: return reason(&found)
    case .answer, .between:
      if skipsSpace {
        held = Array(text)
        guard !text.isEmpty else { return false }
        skipsSpace = false
      }
      if !held.isEmpty { found.append(.answer(String(decoding: held, as: UTF8.self))) }
      held = []
      return false
    }
  }

  /// Drops what stands behind the opening mark; false where it may still come.
  private mutating func dropHeader(_ text: ArraySlice<UInt8>) -> Bool {
    if text.count < header.count, header.starts(with: text) { return false }
    if text.starts(with: header) { held = Array(text.dropFirst(header.count)) }
    isHeaderDue = false
    return true
  }

  /// Reads up to the closing mark, or what can't be a part of one; true where it has come.
  private mutating func reason(_ found: inout [Piece]) -> Bool {
    if let mark = held.firstRange(of: close) {
      if let piece = reasoning(upTo: mark.lowerBound) { found.append(piece) }
      held.removeFirst(mark.count)
      (phase, skipsSpace) = (.answer, true)
      return true
    }
    var end = held.count - partialMark()
    end = held[..<end].lastIndex { !Self.isSpace($0) }.map { $0 + 1 } ?? 0
    if let piece = reasoning(upTo: end) { found.append(piece) }
    return false
  }

  /// Bytes at the end of what is held that may be the beginning of the closing mark.
  private func partialMark() -> Int {
    stride(from: min(close.count - 1, held.count), to: 0, by: -1).first {
      held.suffix($0).elementsEqual(close.prefix($0))
    } ?? 0
  }

  /// Takes so many of the held bytes as thinking.
  private mutating func reasoning(upTo end: Int) -> Piece? {
    defer { held.removeFirst(end) }
    var text = held[..<end]
    if !hasReasoned { text = text.drop(while: Self.isSpace) }
    let last = text.lastIndex { !Self.isSpace($0) }
    guard let last else { return nil }
    hasReasoned = true
    return .reasoning(String(decoding: text[...last], as: UTF8.self))
  }

  private static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
}
