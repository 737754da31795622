import Foundation
import Kernels
import ModelFiles
import Testing
import Transformer
import Vision

/// Embeddings of images against transformers; golden files by scripts/fixtures/vision_families.py and qwen_vision.py.
struct ImageEncoderTests {
  struct Golden: Decodable {
    struct Image: Decodable {
      var image: String
      /// The prompt's part that stands for the image, each row of embeddings as a token.
      var text: String
      var features: [[Float]]
      /// Lines and columns of the rows, of models that ask for them.
      var grid: [Int]?
    }
    var images: [Image]
    /// What a row of embeddings is in the text.
    var rowToken: String
  }

  /// A model in one of its forms: its checkpoint, or an mmproj file.
  struct Source: Sendable, CustomStringConvertible {
    var model: String
    var file: String?
    var description: String { [model, file ?? "checkpoint"].joined(separator: " ") }

    static let models = [
      "tiny-smolvlm", "tiny-gemma3", "tiny-qwen3vl", "tiny-qwen3vlmoe", "tiny-qwen35vl",
    ]
    /// Those whose weights are the reference's.
    static let exact =
      models.flatMap { model in
        [nil, "mmproj.gguf"].map { Source(model: model, file: $0) }
      }
      + ["tiny-smolvlm", "tiny-gemma3"].map { Source(model: $0, file: "mmproj-bf16.gguf") }
    static let all = exact + [Source(model: "tiny-smolvlm", file: "mmproj-q8_0.gguf")]
    static let mmproj = Source(model: "tiny-smolvlm", file: "mmproj.gguf")
  }

  @Test(arguments: Source.exact) func rowsAreTheReferences(_ source: Source) throws {
    let golden = try Fixture.json(source.model, as: Golden.self)
    #expect(golden.images.count >= 3)
    let encoder = try encoder(source, .float)
    for expected in golden.images {
      let image = try encoder.encode(Fixture.bytes("images/" + expected.image))
      #expect(image.width == expected.features.first?.count)
      try #require(image.rows.count == expected.features.count * image.width)
      let reference = expected.features.flatMap { $0 }
      let largest = reference.map(abs).max() ?? 0
      let farthest = zip(image.rows, reference).map { abs($0 - $1) }.max() ?? .infinity
      #expect(farthest < 1e-4 * largest, "\(expected.image)")
    }
  }

  /// Weights of eight bits, the file's or those that it becomes, with activations of eight bits: the direction of each
  /// row is what is left.
  @Test(arguments: Source.all, [WeightMatrix.Precision.float, .quantized])
  func roundedRowsAreNear(_ source: Source, _ precision: WeightMatrix.Precision) throws {
    let golden = try Fixture.json(source.model, as: Golden.self)
    let encoder = try encoder(source, precision)
    for expected in golden.images {
      let image = try encoder.encode(Fixture.bytes("images/" + expected.image))
      for (index, reference) in expected.features.enumerated() {
        let row = image.rows[index * image.width..<(index + 1) * image.width]
        func dot(_ a: some Sequence<Float>, _ b: some Sequence<Float>) -> Float {
          zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
        }
        let cosine = dot(row, reference) / (dot(row, row) * dot(reference, reference)).squareRoot()
        #expect(cosine > 0.999, "\(expected.image), row \(index)")
      }
    }
  }

  /// The text that transformers' processor puts in an image's place, and as many rows.
  @Test(arguments: Source.all) func layoutsAreTheReferences(_ source: Source) throws {
    let golden = try Fixture.json(source.model, as: Golden.self)
    let encoder = try encoder(source, .float)
    for expected in golden.images {
      let layout = try encoder.layout(of: Fixture.bytes("images/" + expected.image))
      var text = ""
      var next = 0
      for piece in layout.pieces {
        switch piece {
        case .text(let part): text += part
        case .rows(let rows):
          #expect(rows.lowerBound == next && !rows.isEmpty)
          next = rows.upperBound
          text += String(repeating: golden.rowToken, count: rows.count)
        }
      }
      #expect(text == expected.text)
      #expect(next == layout.rowCount && next == expected.features.count)
      if let grid = expected.grid {
        let found = try #require(layout.grid)
        #expect([found.lines, found.columns] == grid)
      } else {
        #expect(layout.rowCount == layout.tileCount * encoder.configuration.rowsPerTile)
        #expect(layout.grid == nil)
      }
    }
  }

  @Test(arguments: Source.all) func filesSayWhatCheckpointsDo(_ source: Source) throws {
    let folder = try Fixture.path(source.model)
    let configuration = try VisionConfiguration(checkpoint: folder)
    if let name = source.file {
      let file = try GGUFFile(path: folder + "/" + name)
      #expect(try VisionConfiguration(file: file) == configuration)
    }
    // Of Qwen's it is the square that positions are learned for.
    #expect(configuration.rowsPerTile == (source.model == "tiny-smolvlm" ? 4 : 16))
    #expect(ImageEncoder.reads(checkpoint: folder))
    #expect(!ImageEncoder.reads(checkpoint: folder + "/no-such-folder"))
  }

  /// An image that is asked for as a whole is what a model makes of it that splits none.
  @Test func asAWhole() throws {
    let pool = try #require(Fixture.pool)
    let file = try GGUFFile(path: Fixture.path("tiny-smolvlm/mmproj.gguf"))
    var configuration = try VisionConfiguration(file: file)
    let encoder = try ImageEncoder(
      configuration: configuration, tensors: file, pool: pool, precision: .float)
    configuration.preprocessing.splits = false
    let unsplit = try ImageEncoder(
      configuration: configuration, tensors: file, pool: pool, precision: .float)
    let image = try Fixture.bytes("images/scene-100x61.png")
    #expect(try encoder.layout(of: image).tileCount > 1)
    let layout = try encoder.layout(of: image, asWhole: true)
    #expect(try layout.tileCount == 1 && layout == unsplit.layout(of: image))
    #expect(try encoder.encode(image, asWhole: true).rows == unsplit.encode(image).rows)
  }

  /// What sees images in their own proportions makes those smaller that would become more rows than are allowed.
  @Test func rowsAreLimited() throws {
    let pool = try #require(Fixture.pool)
    let file = try GGUFFile(path: Fixture.path("tiny-qwen3vl/mmproj.gguf"))
    let image = try Fixture.bytes("images/scene-100x61.png")
    for (rows, lines, columns) in [(64, 6, 10), (60, 6, 9), (59, 5, 9), (4, 1, 2), (1, 1, 1)] {
      let encoder = try ImageEncoder(file: file, pool: pool, limits: ImageLimits(rows: rows))
      let layout = try encoder.layout(of: image)
      #expect(layout.grid == EmbeddingSpan.Grid(lines: lines, columns: columns), "\(rows)")
      #expect(try encoder.encode(image).rows.count == lines * columns * encoder.width)
    }
    let encoder = try ImageEncoder(file: file, pool: pool)
    #expect(throws: ImageError.tooNarrow(width: 201, height: 1, ratio: 200)) {
      try encoder.layout(of: ImageSize(width: 201, height: 1))
    }
  }

  /// Large tiles go through their layers in slices, which change nothing.
  @Test(arguments: [WeightMatrix.Precision.float, .quantized], ["tiny-gemma3", "tiny-qwen3vl"])
  func slicesEqualOneGo(_ precision: WeightMatrix.Precision, model: String) throws {
    let pool = try #require(Fixture.pool)
    let folder = try Fixture.path(model)
    let file = try GGUFFile(path: folder + "/mmproj.gguf")
    let bytes = try Fixture.bytes(
      model == "tiny-gemma3" ? "images/half.jpeg" : "images/scene-64x64.png")
    // Gemma's are 64 patches, in slices of all, of 24 and of 8; Qwen's 256, in slices of all and of 8.
    let rows = try [1 << 20, 64 * 24, 1].map { pairs in
      let encoder = try ImageEncoder(
        configuration: VisionConfiguration(file: file), tensors: file, pool: pool,
        precision: precision, pairsPerPass: pairs)
      return try encoder.encode(bytes).rows
    }
    for other in rows.dropFirst() {
      #expect((zip(rows[0], other).map { abs($0 - $1) }.max() ?? .infinity) < 1e-5)
    }
  }

  @Test func anEncodingCanBeCancelled() throws {
    let encoder = try encoder(.mmproj, .float)
    let bytes = try Fixture.bytes("images/rgb.png")
    var asked = 0
    #expect(throws: CancellationError.self) {
      try encoder.encode(bytes) {
        asked += 1
        return asked == 3
      }
    }
    #expect(asked == 3)
    // Nothing of it is left behind.
    #expect(try encoder.encode(bytes).rows == encoder.encode(bytes).rows)
  }

  @Test func whatIsNoImageIsRefused() throws {
    let encoder = try encoder(.mmproj, .float)
    #expect(throws: ImageError.unknownFormat) { try encoder.encode(Array("no image".utf8)) }
    #expect(throws: ImageError.empty) { try encoder.layout(of: []) }
  }

  private func encoder(
    _ source: Source, _ precision: WeightMatrix.Precision
  ) throws -> ImageEncoder {
    let pool = try #require(Fixture.pool)
    let folder = try Fixture.path(source.model)
    guard let file = source.file else {
      return try ImageEncoder(checkpoint: folder, pool: pool, precision: precision)
    }
    return try ImageEncoder(
      file: GGUFFile(path: folder + "/" + file), pool: pool, precision: precision)
  }
}
