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

  @Test(arguments: [true, false], ["tiny-smolvlm", "tiny-qwen3vl", "tiny-qwen35vl"])
  func logitsAreTheReferences(_ isCheckpoint: Bool, model: String) throws {
    let golden = try Fixture.json(model, as: Golden.self)
    let pool = try #require(Fixture.pool)
    let options = DecoderOptions(precision: .float)
    let folder = try Fixture.path(model)
    let decoder =
      isCheckpoint
      ? try Decoder(checkpoint: CheckpointFolder(path: folder), pool: pool, options: options)
      : try Decoder(file: GGUFFile(path: folder + "/model.gguf"), pool: pool, options: options)
    let rows = Mutex<[Int: [Float]]>([:])
    let segment = BatchSegment(
      cache: decoder.makeCache(), tokens: golden.textTokens[...], logits: .all)
    try decoder.forward([segment]) { row in
      let copy = Array(row.logits)
      rows.withLock { $0[row.position] = copy }
    }
    let found = rows.withLock { $0 }
    try #require(found.count == golden.textLogits.count)
    for (position, expected) in golden.textLogits.enumerated() {
      let row = try #require(found[position])
      let largest = expected.map(abs).max() ?? 0
      let farthest = zip(row, expected).map { abs($0 - $1) }.max() ?? .infinity
      #expect(farthest < 1e-4 * max(1, largest))
    }
  }

  /// Control tokens around images are tokens of both files' vocabularies.
  @Test(arguments: [true, false], ["tiny-smolvlm", "tiny-qwen3vl", "tiny-qwen35vl"])
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
