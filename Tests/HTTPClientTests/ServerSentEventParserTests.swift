import HTTPClient
import Testing

@Suite struct ServerSentEventParserTests {
  /// The events of a text that comes in pieces of a length.
  private func events(
    _ text: String, piece: Int = .max, maximumBytes: Int = 1_000
  ) throws -> [String] {
    var parser = ServerSentEventParser(maximumBytes: maximumBytes)
    let bytes = Array(text.utf8)
    var found: [[UInt8]] = []
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + min(piece, bytes.count))
      found += try parser.read(Array(bytes[start..<end]))
      start = end
    }
    found += try parser.end()
    return found.map { String(decoding: $0, as: UTF8.self) }
  }

  @Test(arguments: [1, 2, 3, 5, 7, 1000])
  func piecesMakeNoDifference(piece: Int) throws {
    let text =
      "\u{FEFF}: comment\ndata: one\n\nevent: x\nid: 7\ndata:two\r\ndata:  three\r\n\r\n"
      + "data\rdata: é😀\r\rretry: 5\n\ndatabase: no\n\ndata: last"
    #expect(try events(text, piece: piece) == ["one", "two\n three", "\né😀", "last"])
  }

  @Test func emptyData() throws {
    #expect(try events("data\n\n") == [""])
    #expect(try events("\n\n\n") == [])
    #expect(try events("") == [])
  }

  @Test func lengthIsBounded() throws {
    #expect(throws: ServerSentEventParser.TooLong(limit: 20)) {
      try events("data: " + String(repeating: "x", count: 30), maximumBytes: 20)
    }
    #expect(throws: ServerSentEventParser.TooLong(limit: 20)) {
      try events(String(repeating: "data: xxxx\n", count: 10), maximumBytes: 20)
    }
    #expect(throws: ServerSentEventParser.TooLong(limit: 20)) {
      try events(":" + String(repeating: "x", count: 30), maximumBytes: 20)
    }
    let many = String(repeating: "data: xxxxxxxxxx\n\n", count: 50)
    #expect(try events(many, maximumBytes: 20).count == 50)
  }
}
