import Foundation
import JSON
import Testing

/// Against Foundation's encoder, to the byte.
@Suite struct JSONWriterTests {
  private static let encoder: JSONEncoder = {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return encoder
  }()

  private func text(_ write: (inout JSONWriter) -> Void) -> String {
    var json = JSONWriter()
    write(&json)
    return String(decoding: json.bytes, as: UTF8.self)
  }

  private func expected(_ value: some Encodable) throws -> String {
    String(decoding: try Self.encoder.encode(value), as: UTF8.self)
  }

  @Test func strings() throws {
    let all = String(String.UnicodeScalarView((0...0x2FF).compactMap(Unicode.Scalar.init)))
    for string in ["", "a/b", #"say "no" \ or"#, all, "🙂 \u{2028} é"] {
      #expect(text { $0.string(string) } == (try expected(string)))
    }
  }

  @Test func numbers() throws {
    var numbers: [Double] = [
      0, -0.0, 1, -1, 0.1, 1.5e300, 5e-324, 123_456_789, 1e15, 1e16, -2.5e-7, 1e14 + 0.5, .pi,
      999_999_999_999_999,
    ]
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      let value = Double(bitPattern: generator.next())
      if value.isFinite { numbers.append(value) }
      numbers.append(Double(generator.next() % 1_000_000) / 1000)
    }
    for number in numbers {
      let written = text { $0.number(number) }
      #expect(written == (try expected(number)), "\(number)")
    }
    for number in [Double.nan, .infinity, -.infinity] {
      #expect(text { $0.number(number) } == "null")
    }
  }

  @Test func nesting() throws {
    let written = text { json in
      json.object { json in
        json.key("a")
        json.array([[1.0, 2], [], [3]]) { json, row in
          json.array(row) { json, number in json.number(number) }
        }
        json.key("b")
        json.object { _ in }
        json.key("c")
        json.null()
        json.key("d")
        json.raw("[true]".utf8)
        json.key("e")
        json.bool(false)
      }
    }
    #expect(written == #"{"a":[[1,2],[],[3]],"b":{},"c":null,"d":[true],"e":false}"#)
  }
}
