import JSON

/// The beginning of a call's object, up to its arguments: `{"name": "f", "arguments": {`.
enum ToolCallHeader: Equatable {
  /// More has to come; with the name, where that is there already.
  case incomplete(name: String?)
  /// Something else, or the same in another order.
  case other
  /// - Parameter arguments: The place of their opening brace.
  case call(name: String, arguments: Int)

  /// - Parameter argumentsKey: ``ToolCallStyle/argumentsKey``.
  init(_ bytes: [UInt8], argumentsKey: String) {
    var reader = Reader(bytes: bytes)
    var name: String?
    do throws(Reader.Stop) {
      try reader.expect("{")
      try reader.expect("\"name\"")
      try reader.expect(":")
      name = try reader.string()
      try reader.expect(",")
      try reader.expect("\"\(argumentsKey)\"")
      try reader.expect(":")
      let place = try reader.next()
      guard bytes[place] == UInt8(ascii: "{") else { throw .other }
      self = .call(name: name ?? "", arguments: place)
    } catch {
      self = error == .other ? .other : .incomplete(name: name)
    }
  }

  private struct Reader {
    enum Stop: Error {
      case early
      case other
    }

    let bytes: [UInt8]
    var place = 0

    /// The place of the next byte that is no white space.
    mutating func next() throws(Stop) -> Int {
      while place < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[place]) { place += 1 }
      guard place < bytes.count else { throw .early }
      return place
    }

    mutating func expect(_ text: String) throws(Stop) {
      place = try next()
      for byte in text.utf8 {
        guard place < bytes.count else { throw .early }
        guard bytes[place] == byte else { throw .other }
        place += 1
      }
    }

    mutating func string() throws(Stop) -> String {
      let start = try next()
      guard bytes[start] == UInt8(ascii: "\"") else { throw .other }
      place = start + 1
      while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
        place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
      }
      guard place < bytes.count else { throw .early }
      place += 1
      guard case .string(let text)? = try? JSONParser.parse(Array(bytes[start..<place])) else {
        throw .other
      }
      return text
    }
  }
}
