import Foundation
import Kernels
import ModelFiles
import Synchronization
import Testing
import Tokenization
import Transformer
import Vision

/// The part that reads text of the models that see, from both files; golden files by
/// scripts/fixtures/vision_families.py.
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

  @Test(arguments: [true, false]) func logitsAreTheReferences(_ isCheckpoint: Bool) throws {
    let golden = try Fixture.json("tiny-smolvlm", as: Golden.self)
    let pool = try #require(Fixture.pool)
    let options = DecoderOptions(precision: .float)
    let folder = try Fixture.path("tiny-smolvlm")
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
      #expect((zip(row, expected).map { abs($0 - $1) }.max() ?? .infinity) < 1e-4)
    }
  }

  /// Control tokens around images are tokens of both files' vocabularies.
  @Test(arguments: [true, false]) func tokensAreTheReferences(_ isCheckpoint: Bool) throws {
    let golden = try Fixture.json("tiny-smolvlm", as: Golden.self)
    let folder = try Fixture.path("tiny-smolvlm")
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
