import HTTP
import Testing

@Suite struct MessageTests {
  @Test func headersKeepOrderAndIgnoreCase() {
    var headers: HTTPHeaders = ["A": "1", "B": "2"]
    headers.add("a", "3")
    #expect(headers["a"] == "1")
    #expect(headers.values("A") == ["1", "3"])
    headers.set("a", "4")
    #expect(headers.map { "\($0.name)=\($0.value)" } == ["A=4", "B=2"])
    headers["C"] = "5"
    headers["b"] = nil
    #expect(headers.map(\.name) == ["A", "C"])
    #expect(!headers.contains("B") && headers.contains("c"))
    headers["missing"] = nil
    #expect(headers.count == 2)
  }

  @Test func queriesAreDecoded() {
    let request = HTTPRequest(.get, "/p%C3%A9?prompt=a+b%26c&flag&x=1=2&&%zz=%")
    #expect(request.path == "/pé")
    #expect(request.query.map(\.name) == ["prompt", "flag", "x", "%zz"])
    #expect(request.query.map(\.value) == ["a b&c", "", "1=2", "%"])
    #expect(request.queryValue("prompt") == "a b&c")
    #expect(request.queryValue("none") == nil)
    #expect(HTTPRequest(.get, "/a").query.isEmpty)
  }

  @Test func errorsAreJSON() {
    let error = HTTPErrorDescription(
      status: .badRequest, message: "a \"quote\" \\ \n", code: "some_code")
    guard case .bytes(let bytes) = HTTPErrorDescription.jsonRenderer(error, nil).body else {
      Issue.record("not bytes")
      return
    }
    let expected =
      #"{"error":{"message":"a \"quote\" \\ \u000a","type":"invalid_request_error","#
      + #""code":"some_code","param":null}}"#
    #expect(String(decoding: bytes, as: UTF8.self) == expected)
  }

  @Test func outputJoinsSmallPiecesAndKeepsOrder() {
    var random = SplitMix(seed: 2)
    var output = OutputQueue()
    var expected: [UInt8] = []
    var sent: [UInt8] = []
    for step in 0..<5_000 {
      if Bool.random(using: &random) {
        let isLong = Int.random(in: 0..<20, using: &random) == 0
        let count = isLong ? 20_000 : Int.random(in: 0...300, using: &random)
        let piece = [UInt8](repeating: UInt8(step % 251), count: count)
        expected += piece
        if Bool.random(using: &random) {
          output.append(piece)
        } else {
          output.append { $0 += piece }
        }
      } else if !output.isEmpty {
        let bytes = output.withFirst { Array($0) }
        #expect(!bytes.isEmpty)
        let count = Int.random(in: 1...bytes.count, using: &random)
        sent += bytes[..<count]
        output.consume(count)
      }
      #expect(output.count == expected.count - sent.count)
    }
    while !output.isEmpty {
      let bytes = output.withFirst { Array($0) }
      sent += bytes
      output.consume(bytes.count)
    }
    #expect(sent == expected)
  }
}
