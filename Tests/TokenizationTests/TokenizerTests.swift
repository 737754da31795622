import Foundation
import ModelFiles
import Testing
import Tokenization

@Suite struct TokenizerTests {
  @Test func smolLM2SpecialTokens() throws {
    let tokenizer = try ParityTests.smollm.get()
    #expect(tokenizer.vocabularyCount == 49_152)
    #expect(tokenizer.beginningOfText == 1)
    #expect(tokenizer.endOfText == 2)
    #expect(tokenizer.endTokens == [0, 2])
    #expect(tokenizer.isSpecial(2))
    #expect(!tokenizer.isSpecial(100))
    #expect(tokenizer.isSpecial(-1), "out of range")
    #expect(tokenizer.isSpecial(49_152), "out of range")
    #expect(tokenizer.bytes(of: 49_152) == [])
    #expect(tokenizer.bytes(of: .min) == [])
    #expect(tokenizer.id(ofToken: "<|im_end|>") == 2)
    let parsed = tokenizer.encode("<|im_start|>hi<|im_end|>", addSpecial: true, parseSpecial: true)
    #expect(parsed.first == 1 && parsed.last == 2 && parsed.count == 3)
    let literal = tokenizer.encode("<|im_start|>", addSpecial: true, parseSpecial: false)
    #expect(!literal.contains(1), "a caller's text must not make control tokens")
    #expect(tokenizer.decode(literal) == "<|im_start|>")
    #expect(tokenizer.decode(parsed) == "hi")
  }

  @Test func gemma3SpecialTokens() throws {
    let tokenizer = try ParityTests.gemma.get()
    #expect(tokenizer.vocabularyCount == 262_144)
    #expect(tokenizer.beginningOfText == 2)
    #expect(tokenizer.endTokens == [1, 106])
    #expect(tokenizer.encode("", addSpecial: true, parseSpecial: true) == [2])
    #expect(
      tokenizer.encode("<start_of_turn>", addSpecial: false, parseSpecial: true) == [105])
    #expect(
      !tokenizer.encode("<start_of_turn>", addSpecial: false, parseSpecial: false).contains(105))
    #expect(
      !tokenizer.encode("<0x0A>", addSpecial: false, parseSpecial: true).contains(248),
      "byte tokens are not written out")
  }

  @Test func llama2StylePutsASpaceInFront() throws {
    let tokenizer = try ParityTests.llama2.get()
    let ids = tokenizer.encode("the law", addSpecial: false, parseSpecial: false)
    #expect(tokenizer.decode(ids) == "the law")
    #expect(ids.flatMap { tokenizer.bytes(of: $0) } == Array(" the law".utf8))
  }

  @Test func longWordsTakeNearLinearTime() throws {
    // Quadratic code would take hours here and so fail by the run's own limit.
    let text = String(repeating: "a", count: 1 << 20)
    let smollm = try ParityTests.smollm.get()
    #expect(smollm.decode(smollm.encode(text, addSpecial: false, parseSpecial: false)) == text)
    let gemma = try ParityTests.gemma.get()
    #expect(gemma.decode(gemma.encode(text, addSpecial: false, parseSpecial: false)) == text)
    let angles = String(repeating: "<", count: 1 << 18)
    #expect(gemma.decode(gemma.encode(angles, addSpecial: false, parseSpecial: true)) == angles)
  }

  /// Words beyond and below the length where the merging changes its method, against the
  /// definition of byte-pair encoding written out plainly.
  @Test func mergingFollowsTheDefinition() throws {
    let tokenizer = try ParityTests.smollm.get()
    let file = try GGUFFile(path: ModelFolder.smollm)
    var ranks: [String: Int] = [:]
    for (rank, merge) in try #require(file.strings("tokenizer.ggml.merges")).enumerated() {
      ranks[merge] = rank
    }
    var random = SystemRandomNumberGenerator()
    for count in [1, 2, 3, 10, 47, 48, 49, 50, 64, 100, 120, 200] {
      for alphabet in ["etaoinshr", "ab", "lox"] {
        let word = (0..<count).map { _ in alphabet.randomElement(using: &random) ?? "e" }
        var parts = word.map(String.init)
        while true {
          let pairs = zip(parts, parts.dropFirst()).map { ranks["\($0) \($1)"] ?? .max }
          guard let best = pairs.min(), best < .max, let at = pairs.firstIndex(of: best) else {
            break
          }
          parts[at] += parts[at + 1]
          parts.remove(at: at + 1)
        }
        let ids = tokenizer.encode(String(word), addSpecial: false, parseSpecial: false)
        let ours = ids.map { String(decoding: tokenizer.bytes(of: $0), as: UTF8.self) }
        #expect(ours == parts)
      }
    }
  }

  @Test func randomBytesNeverCrash() throws {
    var random = SystemRandomNumberGenerator()
    for tokenizer in [
      try ParityTests.smollm.get(), try ParityTests.gemma.get(), try ParityTests.llama2.get(),
    ] {
      for _ in 0..<1_000 {
        let bytes = (0..<Int.random(in: 0...64, using: &random)).map { _ in
          UInt8.random(in: 0...255, using: &random)
        }
        let ids = tokenizer.encode(bytes, addSpecial: true, parseSpecial: true)
        #expect(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.vocabularyCount })
        _ = tokenizer.decode(ids)
        let wild = (0..<20).map { _ in
          Int32.random(in: -5...Int32(tokenizer.vocabularyCount + 5), using: &random)
        }
        _ = tokenizer.decode(wild)
      }
    }
  }

  @Test func streamingEqualsDecodingAtOnce() throws {
    for tokenizer in [
      try ParityTests.smollm.get(), try ParityTests.gemma.get(), try ParityTests.llama2.get(),
    ] {
      for line in Fixtures.lines.prefix(800) {
        let ids = tokenizer.encode(line, addSpecial: true, parseSpecial: true)
        var stream = StreamingDetokenizer(tokenizer)
        var text = ""
        for id in ids {
          let piece = stream.append(id)
          #expect(!piece.unicodeScalars.contains("\u{FFFD}") || line.contains("\u{FFFD}"))
          text += piece
        }
        text += stream.finish()
        var bytes = ids.filter { !tokenizer.isSpecial($0) }.flatMap { tokenizer.bytes(of: $0) }
        if tokenizer.addsSpacePrefix, bytes.first == 0x20 { bytes.removeFirst() }
        #expect(Array(text.utf8) == Array(String(decoding: bytes, as: UTF8.self).utf8))
      }
    }
  }

  @Test func streamingHoldsBackPartsOfCharacters() throws {
    let tokenizer = try ParityTests.gemma.get()
    // Byte tokens of U+1F9FF, then a lone lead byte, then an impossible sequence.
    let byte: (UInt8) -> Int32 = { 238 + Int32($0) }
    var stream = StreamingDetokenizer(tokenizer)
    #expect(stream.append(byte(0xF0)) == "")
    #expect(stream.append(byte(0x9F)) == "")
    #expect(stream.append(byte(0xA7)) == "")
    #expect(stream.append(byte(0xBF)) == "\u{1F9FF}")
    #expect(stream.append(byte(0xE2)) == "")
    #expect(stream.append(1) == "", "special tokens are not shown")
    #expect(stream.finish() == "\u{FFFD}")
    #expect(stream.append(byte(0xFF)) == "\u{FFFD}", "nothing can complete it")
    #expect(stream.append(byte(0xE0)) == "")
    #expect(stream.append(byte(0x80)) == "\u{FFFD}\u{FFFD}")
  }
}
