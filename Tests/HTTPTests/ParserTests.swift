import HTTP
import Testing

/// What a parser found in a stream of bytes, as text, so that two runs can be compared.
func parse(
  _ input: [UInt8], limits: HTTPLimits = HTTPLimits(), pieces: [Int] = [], heads: Bool = false
) -> [String] {
  var parser = HTTPRequestParser(limits: limits, announcesHeads: heads)
  var found: [String] = []
  func drain() -> Bool {
    while true {
      switch parser.next() {
      case .needsMore: return true
      case .sendContinue: found.append("continue")
      case .head(let request): found.append("head \(request.rawPath) \(request.body.count)")
      case .failure(let error):
        found.append("\(error.description.status.code)")
        return false
      case .request(let request, let keepsAlive):
        let headers = request.headers.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
        found.append(
          "\(request.method) \(request.rawPath)?\(request.rawQuery ?? "-") "
            + "\(request.version.rawValue) [\(headers)] "
            + "\(String(decoding: request.body, as: UTF8.self)) \(keepsAlive)")
      }
    }
  }
  var start = 0
  for piece in pieces + [input.count] where start < input.count {
    let end = min(input.count, start + max(1, piece))
    input[start..<end].withUnsafeBytes { parser.append($0) }
    start = end
    guard drain() else { break }
  }
  return found
}

func parse(_ text: String, limits: HTTPLimits = HTTPLimits()) -> [String] {
  parse(Array(text.utf8), limits: limits)
}

@Suite struct ParserTests {
  @Test(arguments: [[], [1], [40, 1, 1, 1], Array(repeating: 1, count: 300)])
  func headsComeBeforeBodies(pieces: [Int]) {
    let text =
      "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"
      + "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
      + "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
      + "POST /d HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
    let found = parse(Array(text.utf8), pieces: pieces, heads: true)
    #expect(found.filter { $0.hasPrefix("head") } == ["head /a 0", "head /c 0"])
    #expect(found.filter { !$0.hasPrefix("head") } == parse(text))
    let waiting = "POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    #expect(parse(Array(waiting.utf8), heads: true) == ["head /e 0", "continue"])
  }

  private static let stream =
    "GET /a%20b?x=1&y HTTP/1.1\r\nHost: example\r\nAccept: */*\r\n\r\n"
    + "\r\nPOST /p HTTP/1.1\r\nhost:h\r\nContent-Length: 11\r\n\r\nhello world"
    + "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
    + "5;name=\"v\"\r\nhello\r\n00A\r\n 123456789\r\n0\r\nTrailer: t\r\n\r\n"
    + "GET http://h/abs?q HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n\r\n"
    + "OPTIONS * HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
    + "GET / HTTP/1.0\r\n\r\n"

  private static let expected = [
    "GET /a%20b?x=1&y HTTP/1.1 [Host=example,Accept=*/*]  true",
    "POST /p?- HTTP/1.1 [host=h,Content-Length=11] hello world true",
    "POST /c?- HTTP/1.1 [Host=h,Transfer-Encoding=Chunked] hello 123456789 true",
    "GET /abs?q HTTP/1.1 [Host=h,Connection=foo, Close]  false",
    "OPTIONS *?- HTTP/1.0 [Connection=Keep-Alive]  true",
    "GET /?- HTTP/1.0 []  false",
  ]

  @Test func readsAStreamOfRequests() {
    #expect(parse(Self.stream) == Self.expected)
  }

  @Test func readsTheSameByteByByte() {
    let bytes = Array(Self.stream.utf8)
    #expect(parse(bytes, pieces: Array(repeating: 1, count: bytes.count)) == Self.expected)
  }

  @Test func readsTheSameInAnyPieces() {
    let bytes = Array(Self.stream.utf8)
    var random = SplitMix(seed: 7)
    for _ in 0..<2_000 {
      let pieces = (0..<60).map { _ in Int.random(in: 1...40, using: &random) }
      #expect(parse(bytes, pieces: pieces) == Self.expected)
    }
  }

  static let refused: [(String, String)] = [
    // Two lengths, or a length that is none.
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n", "400"),
    // Two framings, or one that is not known.
    (
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      "400"
    ),
    (
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
      "400"
    ),
    (
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
        + "Transfer-Encoding: chunked\r\n\r\n", "400"
    ),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: ,chunked\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\u{b}chunked\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n", "400"),
    ("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n", "501"),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", "501"),
    // Line ends and characters that another server might read in another way.
    ("GET / HTTP/1.1\nHost: h\n\n", "400"),
    ("GET / HTTP/1.1\r\nHost: h\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost: h\r\n\n", "400"),
    ("GET / HTTP/1.1\r\nHost: h\r\nA: b\rc: d\r\n\r\n", "400"),
    ("GET / HTTP/1.1\rHost: h\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\r\nHost: h\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\n Host: h\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost: h\r\nA(b: c\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost: h\r\nÄ: c\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost: h\r\nnothing\r\n\r\n", "400"),
    ("\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    // Host.
    ("GET / HTTP/1.1\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"),
    // Request lines.
    ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    ("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", "400"),
    ("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    ("GET /\r\n\r\n", "400"),
    ("GET\r\n\r\n", "400"),
    ("G(T / HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    ("GET a HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    ("GET * HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    ("GET /% HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    ("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    ("GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    ("GET /%ff HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    ("GET /é HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    ("GET /#a HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    ("GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    ("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    ("GET / http/1.1\r\nHost: h\r\n\r\n", "400"),
    ("GET / HTTP/1.1x\r\nHost: h\r\n\r\n", "400"),
    ("GET / HTTP/11\r\nHost: h\r\n\r\n", "400"),
    ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", "505"),
    ("GET / HTTP/0.9\r\nHost: h\r\n\r\n", "505"),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
    // Expectations.
    ("POST / HTTP/1.1\r\nHost: h\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\n", "417"),
  ]

  @Test(arguments: refused)
  func refuses(request: String, status: String) {
    #expect(parse(request) == [status])
    let bytes = Array(request.utf8)
    #expect(parse(bytes, pieces: Array(repeating: 1, count: bytes.count)) == [status])
  }

  @Test(arguments: [
    "5 \r\nhello\r\n0\r\n\r\n", "5 ;a\r\nhello\r\n0\r\n\r\n", "\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n",
    "5\r\nhelloo\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\rx0\r\n\r\n",
    "5;a\rb\r\nhello\r\n0\r\n\r\n", "5;a\0b\r\nhello\r\n0\r\n\r\n",
    "0000000000000005\r\nhello\r\n0\r\n\r\n", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "0\r\nA : b\r\n\r\n", "0\r\n folded\r\n\r\n", "0\r\nA: b\n\r\n",
  ])
  func refusesChunks(body: String) {
    let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    #expect(parse(head + body) == ["400"])
    let bytes = Array((head + body).utf8)
    #expect(parse(bytes, pieces: Array(repeating: 1, count: bytes.count)) == ["400"])
  }

  @Test func boundsWhatItHolds() {
    var limits = HTTPLimits()
    limits.maximumBodyBytes = 100
    limits.maximumHeaderBytes = 200
    limits.maximumHeaderCount = 5
    limits.maximumTargetBytes = 50
    let long = String(repeating: "a", count: 300)
    let host = "Host: h\r\n"
    #expect(parse("GET /\(long) HTTP/1.1\r\n\(host)\r\n", limits: limits) == ["414"])
    #expect(parse("GET /\(long)", limits: limits) == ["414"])
    #expect(parse("GET / HTTP/1.1\r\n\(host)A: \(long)\r\n\r\n", limits: limits) == ["431"])
    #expect(parse("GET / HTTP/1.1\r\n\(host)A: \(long)", limits: limits) == ["431"])
    let many = String(repeating: "A: b\r\n", count: 6)
    #expect(parse("GET / HTTP/1.1\r\n\(host)\(many)\r\n", limits: limits) == ["431"])
    let post = "POST / HTTP/1.1\r\n\(host)"
    #expect(parse("\(post)Content-Length: 101\r\n\r\n", limits: limits) == ["413"])
    #expect(parse("\(post)Content-Length: 1073741824\r\n\r\n", limits: limits) == ["413"])
    let chunked = "\(post)Transfer-Encoding: chunked\r\n\r\n"
    #expect(parse("\(chunked)65\r\n", limits: limits) == ["413"])
    let full = "64\r\n\(long.prefix(100))\r\n"
    #expect(parse("\(chunked)\(full)1\r\n", limits: limits) == ["413"])
    #expect(parse("\(chunked)\(full)0\r\n\r\n", limits: limits).count == 1)
    #expect(parse("\(chunked)0\r\nA: \(long)\r\n", limits: limits) == ["431"])
    let longExtension = String(
      repeating: "1;\(String(repeating: "e", count: 4000))\r\na\r\n", count: 6)
    #expect(parse(chunked + longExtension, limits: limits) == ["400"])
  }

  @Test func asksForTheBodyOnlyWhereItIsWaitedFor() {
    let head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n"
    #expect(parse("\(head)Content-Length: 2\r\n\r\n") == ["continue"])
    #expect(parse("\(head)Content-Length: 2\r\n\r\nab").first?.hasPrefix("POST") == true)
    #expect(parse("\(head)Content-Length: 0\r\n\r\n").first?.hasPrefix("POST") == true)
    #expect(parse("\(head)Content-Length: 99999999\r\n\r\n") == ["413"])
    let old = "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    #expect(parse(old) == [])
  }

  @Test func staysFailed() {
    #expect(parse("GARBAGE\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n") == ["400"])
  }

  @Test func survivesRandomBytes() {
    var random = SplitMix(seed: 3)
    let alphabet = Array("GET /:\r\n\r\n HTTP/1.1\r\nContent-Length: 5;%20abc\0\u{e9}".utf8)
    for _ in 0..<20_000 {
      let count = Int.random(in: 0...200, using: &random)
      let bytes = (0..<count).map { _ in
        Bool.random(using: &random)
          ? UInt8.random(in: 0...255, using: &random) : alphabet.randomElement(using: &random) ?? 0
      }
      _ = parse(bytes, pieces: [Int.random(in: 1...50, using: &random)])
    }
  }

  /// A good stream with a few bytes changed: whatever it now means, it means the same in pieces.
  @Test func readsDamagedStreamsTheSameInAnyPieces() {
    var random = SplitMix(seed: 5)
    let original = Array(Self.stream.utf8)
    for _ in 0..<10_000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let index = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: index)
        default: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &random)], at: index)
        }
      }
      let pieces = (0..<40).map { _ in Int.random(in: 1...60, using: &random) }
      #expect(parse(bytes, pieces: pieces) == parse(bytes))
    }
  }

  /// A parser that looked again at all bytes for each one that comes would take minutes.
  @Test(.timeLimit(.minutes(1))) func readsDrippedBytesInLinearTime() {
    var limits = HTTPLimits()
    limits.maximumHeaderBytes = 1 << 24
    let value = String(repeating: "a", count: 3_000_000)
    let bytes = Array("GET / HTTP/1.1\r\nHost: h\r\nA: \(value)\r\n\r\n".utf8)
    let pieces = Array(repeating: 1, count: bytes.count)
    #expect(parse(bytes, limits: limits, pieces: pieces).count == 1)
  }
}

/// A small seeded generator, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
