import Grammar
import JSON
import Tokenization

/// Tells the calls in an answer's text from the text, as it comes in pieces.
package struct ToolCallReader: Sendable {
  package enum Piece: Sendable, Equatable {
    case text(String)
    /// A call begins.
    case callStart(id: String, name: String)
    /// More of the arguments of the call that began last: JSON without white space between its parts.
    case callArguments(String)
  }

  private enum Place {
    case text
    /// Behind the mark that begins a call, before its arguments.
    case header
    case arguments
    /// Behind the arguments, before the mark that ends the call.
    case tail
    /// Behind the mark, in something that is laid out otherwise: read when it is whole.
    case other
  }

  private let style: ToolCallStyle
  private let makeID: @Sendable () -> String
  private var place = Place.text
  private var held: [UInt8] = []
  /// Follows the object that is being read: a call's arguments, or all of something else.
  private var object = JSONObjectScanner()
  /// Bytes of it that were looked at, and where it ends.
  private var scanned = 0
  private var objectEnd: Int?
  private var hasText = false
  /// Calls that are whole.
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
    while step(&found) {}
    return found
  }

  /// What is left at the end. Of a call that was cut off is given what came of it.
  package mutating func finish() -> [Piece] {
    defer { held = [] }
    switch place {
    case .text where callCount > 0 && held.allSatisfy(Self.isSpace): return []
    case .text: return text(upTo: held.count).map { [$0] } ?? []
    case .header:
      if case .incomplete(let name?) = ToolCallHeader(held, argumentsKey: style.argumentsKey) {
        return [.callStart(id: makeID(), name: name)]
      }
      return style.open.isEmpty ? text(upTo: held.count).map { [$0] } ?? [] : []
    case .arguments, .tail: return []
    case .other: return [.text(String(decoding: Array(style.open.utf8) + held, as: UTF8.self))]
    }
  }

  /// Goes on by what is certain; false where more has to come first.
  private mutating func step(_ found: inout [Piece]) -> Bool {
    switch place {
    case .text:
      if let begin = beginOfCall() {
        // White space between a text and a call, or two calls, is neither's.
        let end = held[..<begin.lowerBound].lastIndex { !Self.isSpace($0) }.map { $0 + 1 } ?? 0
        if let before = text(of: held[..<end]) { found.append(before) }
        held.removeFirst(begin.upperBound)
        place = .header
        return true
      }
      if let piece = text(upTo: certainText()) { found.append(piece) }
      return false
    case .header:
      switch ToolCallHeader(held, argumentsKey: style.argumentsKey) {
      case .incomplete: return false
      case .other:
        begin(.other)
        // An object that is no call is a text where nothing else marks one.
        if style.open.isEmpty { (place, hasText) = (.text, true) }
      case .call(let name, let arguments):
        held.removeFirst(arguments)
        found.append(.callStart(id: makeID(), name: name))
        begin(.arguments)
      }
      return true
    case .arguments:
      if let piece = arguments() { found.append(.callArguments(piece)) }
      return place == .tail
    case .tail:
      // The call's own brace, and white space.
      guard !style.close.isEmpty, let end = held.firstRange(of: Array(style.close.utf8)) else {
        if style.close.isEmpty { held = [] }
        return false
      }
      held.removeFirst(end.upperBound)
      place = .text
      return true
    case .other:
      guard let end = endOfOther() else { return false }
      let inside = held[..<end.lowerBound]
      found +=
        call(inside)
        ?? [.text(style.open + String(decoding: inside, as: UTF8.self) + style.close)]
      held.removeFirst(end.upperBound)
      place = .text
      return true
    }
  }

  private mutating func begin(_ next: Place) {
    place = next
    object = JSONObjectScanner()
    scanned = 0
    objectEnd = nil
  }

  /// What there is of a call's arguments, up to their end.
  private mutating func arguments() -> String? {
    var bytes: [UInt8] = []
    var used = 0
    scan: for byte in held {
      used += 1
      switch object.take(byte) {
      case .blank: break
      case .end:
        bytes.append(byte)
        callCount += 1
        place = .tail
        break scan
      case .inside, .noObject: bytes.append(byte)
      }
    }
    held.removeFirst(used)
    return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
  }

  /// Where the mark stands that ends what is laid out otherwise; nil where it has not come. One within an object, in a
  /// string, is a part of it.
  private mutating func endOfOther() -> Range<Int>? {
    let mark = Array(style.close.utf8)
    while objectEnd == nil, scanned < held.count {
      let step = object.take(held[scanned])
      if step == .noObject { objectEnd = 0 }
      scanned += 1
      if step == .end { objectEnd = scanned }
    }
    guard let end = objectEnd else { return nil }
    return held[end...].firstRange(of: mark)
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
    defer { held.removeFirst(end) }
    return text(of: held[..<end])
  }

  private mutating func text(of bytes: ArraySlice<UInt8>) -> Piece? {
    guard !bytes.isEmpty else { return nil }
    hasText = true
    return .text(String(decoding: bytes, as: UTF8.self))
  }

  /// The call that a whole object describes, whatever the order of its members; nil where it describes none.
  private mutating func call(_ json: ArraySlice<UInt8>) -> [Piece]? {
    guard let value = try? JSONParser.parse(Array(json)), case .string(let name)? = value["name"],
      let arguments = value[style.argumentsKey]
    else { return nil }
    callCount += 1
    return [
      .callStart(id: makeID(), name: name),
      .callArguments(String(decoding: arguments.json, as: UTF8.self)),
    ]
  }

  private static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
}
