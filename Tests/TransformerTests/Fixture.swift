import Foundation
import Kernels
import ModelFiles
import Synchronization
import Testing
import Transformer

/// The golden files of this room, and the real models under `models/`.
enum Fixture {
  /// What scripts/fixtures/decoder.py writes for a decoder.
  struct Decoding: Decodable {
    var tokens: [Int32]
    /// All logits, a row a token; only for the tiny models.
    var logits: [[Float]]?
    /// Log-probability of each token; only for the real models.
    var logprobs: [Double?]?
    /// The most probable tokens after each token, and their log-probabilities.
    var top: [[Int32]]?
    var topLogprobs: [[Double]]?
    var prompts: [[Int32]]
    var greedy: [[Int32]]
  }

  /// What it writes for an encoder.
  struct Embedding: Decodable {
    var tokens: [Int32]
    var vector: [Float]
    /// Behind the first half of the layers.
    var halfway: [Float]
  }

  static func json<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
    let url = try #require(
      Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: "json"))
    return try JSONDecoder().decode(type, from: Data(contentsOf: url))
  }

  static func path(_ name: String) throws -> String {
    try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: nil)).path
  }

  /// A file under the package root's `models/`; the test fails if it is not there.
  static func model(_ name: String) throws -> String {
    let root = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let path = root.appendingPathComponent("models/\(name)").path
    try #require(FileManager.default.fileExists(atPath: path), "make models fetches \(path)")
    return path
  }

  /// One pool for all tests: two would take each other's cores.
  static let pool: ComputePool? = try? ComputePool(threadCount: 2)

  static func decoder(
    _ path: String, precision: WeightMatrix.Precision = .float,
    adjust: (inout DecoderOptions) -> Void = { _ in }
  ) throws -> Decoder {
    var options = DecoderOptions(precision: precision)
    adjust(&options)
    return try Decoder(file: GGUFFile(path: path), pool: #require(pool), options: options)
  }
}

/// Collects logits from the pool's threads.
final class LogitCollector: Sendable {
  private let rows = Mutex<[[Int]: [Float]]>([:])

  func receive(_ row: LogitRow) {
    let copy = Array(row.logits)
    rows.withLock { $0[[row.segment, row.position]] = copy }
  }

  subscript(segment: Int, position: Int) -> [Float] {
    rows.withLock { $0[[segment, position]] ?? [] }
  }

  var count: Int { rows.withLock { $0.count } }
}

extension Decoder {
  /// All logits of a text, read in chunks.
  func allLogits(_ tokens: [Int32], chunk: Int, cache: KVCache? = nil) throws -> [[Float]] {
    let cache = cache ?? makeCache()
    let collector = LogitCollector()
    let start = cache.count
    var done = 0
    while done < tokens.count {
      let end = min(tokens.count, done + chunk)
      try forward([BatchSegment(cache: cache, tokens: tokens[done..<end], logits: .all)]) {
        collector.receive($0)
      }
      done = end
    }
    return tokens.indices.map { collector[0, start + $0] }
  }

  /// The most probable continuation.
  func greedy(_ prompt: [Int32], count: Int) throws -> [Int32] {
    let cache = makeCache()
    var next = prompt
    var answer: [Int32] = []
    while answer.count < count {
      let collector = LogitCollector()
      try forward([BatchSegment(cache: cache, tokens: next[...])]) { collector.receive($0) }
      next = [collector[0, cache.count - 1].argmax]
      answer += next
    }
    return answer
  }
}

/// Runs sequences of different lengths, some reading and some decoding, in one pass, and expects of each what it
/// gives alone.
func expectBatchEqualsAlone(_ decoder: Decoder, _ tokens: [Int32]) throws {
  let texts = [0..<1, 3..<40, 10..<80, 50..<59].map { Array(tokens[$0]) }
  let alone = try texts.map { try decoder.allLogits($0, chunk: 512).last }
  let caches = texts.map { _ in decoder.makeCache() }
  // The second text is all but its last token in the cache already.
  try decoder.forward([
    BatchSegment(cache: caches[1], tokens: texts[1].dropLast(), logits: .none)
  ])
  let collector = LogitCollector()
  try decoder.forward(
    texts.indices.map {
      BatchSegment(cache: caches[$0], tokens: texts[$0][caches[$0].count...])
    }
  ) { collector.receive($0) }
  #expect(collector.count == texts.count)
  for (index, text) in texts.enumerated() {
    let row = collector[index, text.count - 1]
    #expect(row.largestDifference(to: try #require(alone[index])) < 1e-4)
  }
}

/// The distance of all logits from the exact ones, as a share of their size.
func relativeDistance(of near: [[Float]], to exact: [[Float]]) -> Double {
  var error = 0.0
  var size = 0.0
  for (row, exactRow) in zip(near, exact) {
    for (value, truth) in zip(row, exactRow) {
      error += Double((value - truth) * (value - truth))
      size += Double(truth * truth)
    }
  }
  return (error / size).squareRoot()
}

extension [Float] {
  var argmax: Int32 {
    var best = 0
    for index in indices where self[index] > self[best] { best = index }
    return Int32(best)
  }

  func largestDifference(to other: [Float]) -> Float {
    guard count == other.count else { return .infinity }
    return zip(self, other).reduce(0) { Swift.max($0, abs($1.0 - $1.1)) }
  }
}
