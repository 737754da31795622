import Foundation
import Grammar
import JSON
import Tokenization

/// A vocabulary of given texts, the last id its end token.
struct ListedTokenizer: Tokenizer {
  let texts: [[UInt8]]

  init(_ texts: [[UInt8]]) { self.texts = texts }

  /// All bytes, then some texts.
  init(bytesAnd texts: [String]) {
    self.texts = (0...255).map { [UInt8($0)] } + texts.map { Array($0.utf8) }
  }

  var end: Int32 { Int32(texts.count) }
  var vocabularyCount: Int { texts.count + 1 }
  var beginningOfText: Int32? { nil }
  var endOfText: Int32? { end }
  var endTokens: Set<Int32> { [end] }
  var addsSpacePrefix: Bool { false }
  func encode(_ text: String, addSpecial: Bool, parseSpecial: Bool) -> [Int32] {
    text.utf8.map(Int32.init)
  }
  func bytes(of id: Int32) -> [UInt8] {
    texts.indices.contains(Int(id)) ? texts[Int(id)] : Array("<end>".utf8)
  }
  func isSpecial(_ id: Int32) -> Bool { id == end }
  func id(ofToken text: String) -> Int32? { nil }
}

/// A small seeded generator, so that what failed can be made again.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// What a grammar makes of a text, read through single bytes.
enum Reading: Equatable {
  /// It is one.
  case whole
  /// One may come of it.
  case beginning
  case none
}

let byteTable = TokenTable(ListedTokenizer(bytesAnd: []))

func read(_ text: some Sequence<UInt8>, _ grammar: Grammar) throws -> Reading {
  let constraint = try TokenConstraint(grammar, byteTable)
  for byte in text where try !constraint.take(Int32(byte)) { return .none }
  return try constraint.take(256) ? .whole : .beginning
}

func read(_ text: String, _ grammar: Grammar) throws -> Reading { try read(text.utf8, grammar) }

func schema(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }

/// The lines of a fixture, each an object.
func fixture(_ name: String) throws -> [JSONValue] {
  let url = Bundle.module.url(forResource: "Fixtures", withExtension: nil)?.appending(path: name)
  let text = try String(contentsOf: url ?? URL(filePath: name), encoding: .utf8)
  return try text.split(separator: "\n").map { try JSONParser.parse(Array($0.utf8)) }
}

extension JSONValue {
  var texts: [String] {
    guard case .array(let items) = self else { return [] }
    return items.compactMap { if case .string(let text) = $0 { text } else { nil } }
  }
}
