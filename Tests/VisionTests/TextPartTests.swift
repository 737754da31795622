import Foundation
import Kernels
import ModelFiles
import Synchronization
import Testing
import Tokenization
import Transformer
import Vision

/// The part that reads text of the models that see, from both files; golden files by
/// scripts/fixtures/vision_families.py and qwen_vision.py.
struct TextPartTests {
  struct Golden: Decodable {
    struct Image: Decodable {
      var text: String
      var tokens: [Int32]
    }
    var images: [Image]
    var textTokens: [Int32]
    var textLogits: [[Float]]
  }

  @Test(
    arguments: [true, false], ["tiny-smolvlm", "tiny-qwen3vl", "tiny-qwen3vlmoe", "tiny-qwen35vl"])
  func logitsAreTheReferences(_ isCheckpoint: Bool, model: String) throws {
    let golden = try Fixture.json(model, as: Golden.self)
    let pool = try #require(Fixture.pool)
    let options = DecoderOptions(precision: .float)
    let folder = try Fixture.path(model)
    let decoder =
      isCheckpoint
      ? try Decoder(checkpoint: CheckpointFolder(path: folder), pool: pool, options: options)
      : try Decoder(file: GGUFFile(path: folder + "/model.gguf"), pool: pool, options: options)
    let found = try logits(of: golden.textTokens, decoder)
    try #require(found.count == golden.textLogits.count)
    for (row, expected) in zip(found, golden.textLogits) {
      let largest = expected.map(abs).max() ?? 0
      let farthest = zip(row, expected).map { abs($0 - $1) }.max() ?? .infinity
      #expect(farthest < 1e-4 * max(1, largest))
    }
  }

  /// The logits of all tokens.
  private func logits(of tokens: [Int32], _ decoder: Decoder) throws -> [[Float]] {
    let rows = Mutex<[Int: [Float]]>([:])
    let segment = BatchSegment(cache: decoder.makeCache(), tokens: tokens[...], logits: .all)
    try decoder.forward([segment]) { row in
      let copy = Array(row.logits)
      rows.withLock { $0[row.position] = copy }
    }
    return rows.withLock { $0.sorted { $0.key < $1.key }.map(\.value) }
  }

  /// Experts' matrices as transformers 5 saves them, which turns published ones round when it reads them, and not back.
  @Test func expertsMayLieEitherWay() throws {
    let golden = try Fixture.json("tiny-qwen3vlmoe", as: Golden.self)
    let pool = try #require(Fixture.pool)
    let folder = NSTemporaryDirectory() + "experts-\(UUID().uuidString)"
    try FileManager.default.copyItem(atPath: Fixture.path("tiny-qwen3vlmoe"), toPath: folder)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    func found() throws -> [[Float]] {
      try logits(
        of: golden.textTokens,
        Decoder(
          checkpoint: CheckpointFolder(path: folder), pool: pool,
          options: DecoderOptions(precision: .float)))
    }
    let published = try found()
    #expect(try turnExperts(folder + "/model.safetensors") == 6)
    #expect(try found() == published)
  }

  /// Turns the experts' matrices of a safetensors file of two-byte numbers; gives back how many tensors that were.
  private func turnExperts(_ path: String) throws -> Int {
    let url = URL(fileURLWithPath: path)
    let bytes = [UInt8](try Data(contentsOf: url))
    // A header's length in eight bytes, and the header, whose offsets count from its end.
    let start = 8 + bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    var header = try #require(
      JSONSerialization.jsonObject(with: Data(bytes[8..<start])) as? [String: Any])
    var data = Array(bytes[start...])
    var count = 0
    for (name, value) in header where name.contains(".mlp.experts.") {
      var entry = try #require(value as? [String: Any])
      let shape = try #require(entry["shape"] as? [Int])
      let first = try #require(entry["data_offsets"] as? [Int])[0]
      let (experts, rows, columns) = (shape[0], shape[1], shape[2])
      for expert in 0..<experts {
        for row in 0..<rows {
          for column in 0..<columns {
            let from = first + 2 * ((expert * rows + row) * columns + column)
            let to = first + 2 * ((expert * columns + column) * rows + row)
            data[to] = bytes[start + from]
            data[to + 1] = bytes[start + from + 1]
          }
        }
      }
      entry["shape"] = [experts, columns, rows]
      header[name] = entry
      count += 1
    }
    let text = try JSONSerialization.data(withJSONObject: header)
    var written = Data()
    withUnsafeBytes(of: UInt64(text.count).littleEndian) { written.append(contentsOf: $0) }
    try (written + text + data).write(to: url)
    return count
  }

  /// Control tokens around images are tokens of both files' vocabularies.
  @Test(
    arguments: [true, false], ["tiny-smolvlm", "tiny-qwen3vl", "tiny-qwen3vlmoe", "tiny-qwen35vl"])
  func tokensAreTheReferences(_ isCheckpoint: Bool, model: String) throws {
    let golden = try Fixture.json(model, as: Golden.self)
    let folder = try Fixture.path(model)
    let tokenizer: any Tokenizer =
      isCheckpoint
      ? try makeTokenizer(checkpoint: folder)
      : try makeTokenizer(from: GGUFFile(path: folder + "/model.gguf"))
    for image in golden.images {
      #expect(
        tokenizer.encode(image.text, addSpecial: false, parseSpecial: true) == image.tokens)
    }
  }
}
