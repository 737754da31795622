import Foundation
import Kernels
import ModelFiles
import Testing
import Transformer
import Vision

/// Embeddings of images against transformers; golden files by scripts/fixtures/vision_families.py.
struct ImageEncoderTests {
  struct Golden: Decodable {
    struct Image: Decodable {
      var image: String
      /// The prompt's part that stands for the image, each row of embeddings as `<image>`.
      var text: String
      var features: [[Float]]
    }
    var images: [Image]
  }

  enum Source: String, CaseIterable, Sendable { case checkpoint, mmproj }

  @Test(arguments: Source.allCases) func rowsAreTheReferences(_ source: Source) throws {
    let golden = try Fixture.json("tiny-smolvlm", as: Golden.self)
    #expect(golden.images.count == 3)
    let encoder = try encoder(source, .float)
    #expect(encoder.width == 32)
    for expected in golden.images {
      let image = try encoder.encode(Fixture.bytes("images/" + expected.image))
      try #require(image.rows.count == expected.features.count * image.width)
      let reference = expected.features.flatMap { $0 }
      let largest = reference.map(abs).max() ?? 0
      let farthest = zip(image.rows, reference).map { abs($0 - $1) }.max() ?? .infinity
      #expect(farthest < 1e-4 * largest, "\(expected.image)")
    }
  }

  /// Weights and activations of eight bits: the direction of each row is what is left.
  @Test(arguments: Source.allCases) func roundedRowsAreNear(_ source: Source) throws {
    let golden = try Fixture.json("tiny-smolvlm", as: Golden.self)
    let encoder = try encoder(source, .quantized)
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
  @Test func layoutsAreTheReferences() throws {
    let golden = try Fixture.json("tiny-smolvlm", as: Golden.self)
    let encoder = try encoder(.mmproj, .float)
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
          text += String(repeating: ImageEncoder.placeholder, count: rows.count)
        }
      }
      #expect(text == expected.text)
      #expect(next == layout.rowCount && next == expected.features.count)
      #expect(layout.rowCount == layout.tileCount * encoder.configuration.rowsPerTile)
    }
  }

  @Test func bothFilesSayTheSame() throws {
    let file = try GGUFFile(path: Fixture.path("tiny-smolvlm/mmproj.gguf"))
    let folder = try Fixture.path("tiny-smolvlm")
    let configuration = try VisionConfiguration(checkpoint: folder)
    #expect(try VisionConfiguration(file: file) == configuration)
    #expect(configuration.rowsPerTile == 4)
    #expect(ImageEncoder.reads(checkpoint: folder))
    #expect(!ImageEncoder.reads(checkpoint: folder + "/no-such-folder"))
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
    switch source {
    case .checkpoint:
      return try ImageEncoder(
        checkpoint: Fixture.path("tiny-smolvlm"), pool: pool, precision: precision)
    case .mmproj:
      return try ImageEncoder(
        file: GGUFFile(path: Fixture.path("tiny-smolvlm/mmproj.gguf")), pool: pool,
        precision: precision)
    }
  }
}
