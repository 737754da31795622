import Grammar
import JSON
import Tokenization

/// Tells the calls in an answer's text from the text, as it comes in pieces.
package struct ToolCallReader: Sendable {
  package enum Piece: Sendable, Equatable {
    case text(String)
    case call(ToolCall)
  }

  private enum Place {
    case text
    /// Behind the mark that begins a call.
    case call
  }

  private let style: ToolCallStyle
  private let makeID: @Sendable () -> String
  private var place = Place.text
  private var held: [UInt8] = []
  /// Finds the end of the object that a call is; of the call that is being read.
  private var object = JSONObjectEnd()
  private var hasText = false
  /// Calls that were found.
  package private(set) var callCount = 0

  /// - Parameter makeID: Gives each call its id.
  package init(
    _ style: ToolCallStyle, makeID: @escaping @Sendable () -> String = { Self.randomID() }
  ) {
    self.style = style
    self.makeID = makeID
  }

  package static func randomID() -> String {
    let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    return "call_" + String((0..<24).map { _ in letters.randomElement() ?? "0" })
  }

  /// Takes the next piece.
  package mutating func take(_ piece: String) -> [Piece] {
    held += piece.utf8
    var found: [Piece] = []
    while let piece = next() { found.append(piece) }
    return found
  }

  /// What is left at the end. Of a call that was cut off all is given as text, so that nothing is lost.
  package mutating func finish() -> [Piece] {
    defer { held = [] }
    switch place {
    case .text where callCount > 0 && held.allSatisfy(Self.isSpace): return []
    case .text: return text(upTo: held.count).map { [$0] } ?? []
    case .call:
      if style.close.isEmpty, let call = call(held[...]) { return [call] }
      return [.text(String(decoding: Array(style.open.utf8) + held, as: UTF8.self))]
    }
  }

  /// The next text or call that is certain; nil where more has to come first.
  private mutating func next() -> Piece? {
    switch place {
    case .text:
      if let begin = beginOfCall() {
        // White space between a text and a call, or two calls, is neither's.
        let end = held[..<begin.lowerBound].lastIndex { !Self.isSpace($0) }.map { $0 + 1 } ?? 0
        let before = String(decoding: held[..<end], as: UTF8.self)
        held.removeFirst(begin.upperBound)
        place = .call
        object = JSONObjectEnd()
        guard !before.isEmpty else { return next() }
        hasText = true
        return .text(before)
      }
      return text(upTo: certainText())
    case .call:
      guard let end = endOfCall() else { return nil }
      let inside = held[..<end.lowerBound]
      let found =
        call(inside)
        ?? .text(style.open + String(decoding: inside, as: UTF8.self) + style.close)
      held.removeFirst(end.upperBound)
      place = .text
      return found
    }
  }

  /// Where the mark stands that ends the call that is being read; nil where it has not come. One within the object, in
  /// a string of its arguments, is a part of it.
  private mutating func endOfCall() -> Range<Int>? {
    guard !style.close.isEmpty else { return nil }
    let mark = Array(style.close.utf8)
    let end: Int
    switch object.find(in: held) {
    case .open: return nil
    case .end(let found): end = found
    case .noObject: return held.firstRange(of: mark)
    }
    guard let next = held[end...].firstIndex(where: { !Self.isSpace($0) }) else { return nil }
    let rest = held[next...]
    if rest.starts(with: mark) { return next..<next + mark.count }
    return mark.starts(with: rest) ? nil : held[end...].firstRange(of: mark)
  }

  /// Where a call's mark stands in what is held.
  private func beginOfCall() -> Range<Int>? {
    guard style.open.isEmpty else { return held.firstRange(of: Array(style.open.utf8)) }
    guard !hasText, let first = held.firstIndex(where: { !Self.isSpace($0) }),
      held[first] == UInt8(ascii: "{")
    else { return nil }
    return first..<first
  }

  /// Bytes that no call can begin in: all but white space, and what may be the beginning of a mark, at the end.
  private func certainText() -> Int {
    let mark = Array(style.open.utf8)
    var end = held.count
    for length in stride(from: min(mark.count - 1, held.count), to: 0, by: -1)
    where held.suffix(length).elementsEqual(mark.prefix(length)) {
      end -= length
      break
    }
    return held[..<end].lastIndex { !Self.isSpace($0) }.map { $0 + 1 } ?? 0
  }

  private mutating func text(upTo end: Int) -> Piece? {
    guard end > 0 else { return nil }
    defer { held.removeFirst(end) }
    hasText = true
    return .text(String(decoding: held[..<end], as: UTF8.self))
  }

  /// The call that JSON describes; nil where it describes none.
  private mutating func call(_ json: ArraySlice<UInt8>) -> Piece? {
    guard let value = try? JSONParser.parse(Array(json)), case .string(let name)? = value["name"],
      let arguments = value[style.argumentsKey]
    else { return nil }
    callCount += 1
    return .call(
      ToolCall(
        id: makeID(), name: name, arguments: String(decoding: arguments.json, as: UTF8.self)))
  }

  private static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
}
