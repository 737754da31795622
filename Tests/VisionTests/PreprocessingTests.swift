import Foundation
import Testing
import Vision

/// Tiles against transformers' image processor; golden files by scripts/fixtures/images.py.
struct PreprocessingTests {
  struct Golden: Decodable {
    struct Case: Decodable {
      var image: String
      var splits: Bool
      /// 0 where the image is not split.
      var rows: Int
      var columns: Int
      var tiles: [Data]
      /// Row 5 of the first tile as the model gets it. // (3, tile)
      var values: [Float]
    }
    var tile: Int
    var longestEdge: Int
    var cases: [Case]
    /// Width, height, and the rows and columns of tiles, of images for SmolVLM's sizes.
    var grids: [[Int]]
  }

  /// The processor that works with Pillow, to the last bit; the one that works with torchvision rounds
  /// otherwise here and there.
  @Test func tilesAreTheReferences() throws {
    let golden = try Fixture.json("preprocessing", as: Golden.self)
    #expect(golden.cases.count == 10)
    for expected in golden.cases {
      let preprocessing = ImagePreprocessing(
        longestEdge: golden.longestEdge, tile: golden.tile, splits: expected.splits,
        mean: [0.5, 0.4, 0.3], deviation: [0.5, 0.25, 0.2])
      let image = try RGBImage(decoding: Fixture.bytes("images/" + expected.image))
      let grid = try preprocessing.sizes(of: image.size).grid
      let isSingle = expected.rows == 0
      #expect(grid.isSingle == isSingle, "\(expected.image)")
      if !isSingle {
        #expect(grid.rows == expected.rows && grid.columns == expected.columns)
      }
      let tiles = try preprocessing.tiles(of: image)
      try #require(tiles.count == expected.tiles.count && tiles.count == grid.tileCount)
      for (tile, pixels) in zip(tiles, expected.tiles) {
        #expect(tile.pixels == [UInt8](pixels), "\(expected.image)")
      }
      let values = preprocessing.values()
      for channel in 0..<3 {
        for column in 0..<golden.tile {
          let byte = tiles[0].pixels[3 * (5 * golden.tile + column) + channel]
          let expected = expected.values[channel * golden.tile + column]
          // Floats that differ in the order of their operations.
          #expect(abs(values[channel][Int(byte)] - expected) < 1e-6)
        }
      }
    }
  }

  @Test func gridsAreTheReferences() throws {
    let golden = try Fixture.json("preprocessing", as: Golden.self)
    let preprocessing = ImagePreprocessing(longestEdge: 2048, tile: 512)
    for entry in golden.grids {
      let grid = try preprocessing.sizes(
        of: ImageSize(width: entry[0], height: entry[1])
      ).grid
      #expect([grid.rows, grid.columns] == Array(entry[2...]), "\(entry)")
    }
  }

  /// Sizes of images that are seen in their own proportions; golden file by scripts/fixtures/qwen_vision.py.
  @Test func sizesAreTheReferences() throws {
    struct Golden: Decodable {
      struct Case: Decodable {
        var least: Int
        var most: Int
        /// Width and height, and those that the image gets.
        var sizes: [[Int]]
      }
      var factor: Int
      var cases: [Case]
    }
    let golden = try Fixture.json("qwen-sizes", as: Golden.self)
    #expect(golden.cases.count == 2)
    for expected in golden.cases {
      let area = ImagePreprocessing.Area(
        unit: golden.factor, least: expected.least, most: expected.most)
      #expect(expected.sizes.count > 20)
      for entry in expected.sizes {
        let size = try area.size(of: ImageSize(width: entry[0], height: entry[1]))
        #expect([size.width, size.height] == Array(entry[2...]), "\(entry)")
      }
    }
  }

  @Test func anImageInItsOwnSizeStaysAsItIs() throws {
    let image = try RGBImage(decoding: Fixture.bytes("images/scene-16x16.png"))
    #expect(image.resized(to: image.size, filter: .lanczos) == image)
  }
}
