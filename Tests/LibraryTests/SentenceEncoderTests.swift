import Library
import Testing

/// The real MiniLM; that its vectors are right is TransformerTests' matter.
@Suite struct SentenceEncoderTests {
  private func encoder() async throws -> SentenceEncoder {
    try await SentenceEncoder.load(folder: Models.miniLM, pool: Models.loader().computePool)
  }

  private func largestDifference(_ first: [Float], _ second: [Float]) -> Float {
    zip(first, second).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  @Test func manyAtOnceEqualOneByOne() async throws {
    let encoder = try await encoder()
    let texts = (0..<48).map { index in
      "Text \(index): "
        + Array(repeating: "some words", count: index % 7 * 3).joined(separator: " ")
    }
    var single: [[Float]] = []
    for text in texts {
      let embedded = try await encoder.embed([text])
      #expect(embedded.vectors.count == 1)
      single.append(try #require(embedded.vectors.first))
    }
    let alone = single
    try await withThrowingTaskGroup(of: (Int, SentenceEncoder.Embedded).self) { group in
      // Callers with one to three texts each, so that a mix-up of their shares would show.
      var start = 0
      while start < texts.count {
        let range = start..<min(start + 1 + start % 3, texts.count)
        group.addTask { (range.lowerBound, try await encoder.embed(Array(texts[range]))) }
        start = range.upperBound
      }
      for try await (start, embedded) in group {
        for (offset, vector) in embedded.vectors.enumerated() {
          #expect(vector.count == encoder.dimension)
          #expect(largestDifference(vector, alone[start + offset]) < 1e-5)
        }
      }
    }
    #expect(largestDifference(alone[0], alone[6]) > 1e-3)
  }

  @Test func longTextIsCutAtTheLimit() async throws {
    let encoder = try await encoder()
    let words = Array(repeating: "the quick brown fox", count: 20_000).joined(separator: " ")
    let long = try await encoder.embed([words])
    #expect(long.tokenCount == 256)
    let cut = try await encoder.embed([String(words.prefix(4000))])
    #expect(largestDifference(long.vectors[0], cut.vectors[0]) < 1e-5)
  }

  /// The order in which callers were served.
  private actor Order {
    private(set) var names: [String] = []
    func note(_ name: String) { names.append(name) }
  }

  @Test func whatIsKnownIsTheSame() async throws {
    let encoder = try await encoder()
    let texts = (0..<700).map { "Text \($0)" }
    let all = try await encoder.embed(texts)
    // More texts than are kept, the first of them again and again.
    for (text, vector) in zip(texts, all.vectors) {
      let embedded = try await encoder.embed([text])
      #expect(embedded.tokenCount == 4 || embedded.tokenCount == 5)
      #expect(largestDifference(embedded.vectors[0], vector) < 1e-5)
      let first = try await encoder.embed([texts[0]])
      #expect(largestDifference(first.vectors[0], all.vectors[0]) < 1e-5)
    }
    let again = try await encoder.embed([texts[0]])
    #expect(again.vectors[0] == (try await encoder.embed([texts[0]])).vectors[0])
  }

  /// Nor where it wants other layers, as a decision beside embeddings does.
  @Test(arguments: [6, 3])
  func oneTextIsNotHeldUpByThousands(depth: Int) async throws {
    let encoder = try await encoder()
    // Seconds of work: the test process may be slow to begin the others.
    let long = (0..<1200).map { "Text \($0): " + String(repeating: "some words ", count: 60) }
    let order = Order()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        let many = try await encoder.embed(long)
        await order.note("many")
        #expect(many.vectors.count == 1200)
        let last = try await encoder.embed([long[1199]])
        #expect(largestDifference(last.vectors[0], many.vectors[1199]) < 1e-5)
      }
      try await Task.sleep(for: .milliseconds(20))
      for index in 0..<3 {
        group.addTask {
          _ = try await encoder.embed(["one \(index)"], depth: depth)
          await order.note("one")
        }
      }
      try await group.waitForAll()
    }
    #expect(await order.names == ["one", "one", "one", "many"])
  }

  @Test func whoLeavesIsNoLongerServed() async throws {
    let encoder = try await encoder()
    let long = (0..<2000).map { "Text \($0): " + String(repeating: "some words ", count: 120) }
    let leaving = Task { try await encoder.embed(long) }
    try await Task.sleep(for: .milliseconds(100))
    leaving.cancel()
    await #expect(throws: CancellationError.self) { try await leaving.value }
    #expect(try await encoder.embed(["still", "here"]).vectors.count == 2)
  }

  /// Callers that want different layers of the same texts don't get each other's.
  @Test func depthsDoNotMix() async throws {
    let encoder = try await encoder()
    #expect(encoder.depth == 6)
    #expect(encoder.routerDepth == 3)
    let texts = (0..<40).map { "Text \($0)" }
    var alone: [Int: [[Float]]] = [:]
    for depth in 1...6 { alone[depth] = try await encoder.embed(texts, depth: depth).vectors }
    let expected = alone
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, text) in texts.enumerated() {
        for depth in 1...6 {
          group.addTask {
            for _ in 0..<2 {
              let vector = try await encoder.embed([text], depth: depth).vectors[0]
              let truth = try #require(expected[depth]?[index])
              #expect(largestDifference(vector, truth) < 1e-5)
            }
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(try largestDifference(#require(alone[3]?[0]), #require(alone[6]?[0])) > 1e-2)
    await #expect(throws: (any Error).self) { try await encoder.embed(["x"], depth: 7) }
    await #expect(throws: (any Error).self) { try await encoder.embed(["x"], depth: 0) }
  }

  @Test func emptyTextHasAVectorToo() async throws {
    let encoder = try await encoder()
    let embedded = try await encoder.embed(["", "x", ""])
    #expect(embedded.vectors.count == 3)
    #expect(embedded.tokenCount == 2 + 3 + 2)
    for vector in embedded.vectors {
      let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(abs(length - 1) < 1e-4)
    }
    #expect(try await encoder.embed([]).vectors.isEmpty)
  }
}
