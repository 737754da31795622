/// How an image becomes the squares that a vision transformer sees.
package struct ImagePreprocessing: Sendable, Equatable {
  /// The longer side that an image is given first; nil where it gets a tile's size at once, and is never split.
  package var longestEdge: Int?
  /// A tile's side, in pixels; 0 where images are seen in their own proportions.
  package var tile: Int
  /// What an image becomes that is one tile of a size near its own; nil where all tiles are squares.
  package var area: Area?
  /// Whether an image that is larger than a tile is cut into several, and seen as a whole besides.
  package var splits: Bool
  package var filter: ResamplingFilter
  /// What bytes are multiplied with.
  package var rescale: Double
  /// Of each channel, behind `rescale`.
  package var mean: [Float]
  package var deviation: [Float]

  /// - Parameter filter: What transformers takes by default, as every known file says too.
  package init(
    longestEdge: Int?, tile: Int, splits: Bool = true, filter: ResamplingFilter = .lanczos,
    rescale: Double = 1.0 / 255, mean: [Float] = [0.5, 0.5, 0.5],
    deviation: [Float] = [0.5, 0.5, 0.5]
  ) {
    self.longestEdge = longestEdge
    self.tile = tile
    self.splits = splits
    self.filter = filter
    self.rescale = rescale
    self.mean = mean
    self.deviation = deviation
  }

  /// Images that are seen in their own proportions.
  package init(
    area: Area, mean: [Float] = [0.5, 0.5, 0.5], deviation: [Float] = [0.5, 0.5, 0.5]
  ) {
    self.init(
      longestEdge: nil, tile: 0, splits: false, filter: .bicubic, mean: mean, deviation: deviation)
    self.area = area
  }

  /// transformers' bound on an image's sides.
  static let longestSide = 4096
  /// Tiles in a row or a column at most: bounds what one image costs, whatever a file says.
  static let mostTiles = 8

  /// The size that an image is given, in tiles; the grid is 1 x 1 where it is not split.
  ///
  /// As `Idefics3ImageProcessor` computes it: the longer side to `longestEdge`, the other in proportion
  /// and even; then both to whole tiles, upwards.
  package func sizes(
    of image: ImageSize
  ) throws(ImageError) -> (scaled: ImageSize, grid: TileGrid, tile: ImageSize) {
    if let area {
      let size = try area.size(of: image)
      return (size, .single, size)
    }
    let square = ImageSize(width: tile, height: tile)
    guard let longestEdge else { return (square, .single, square) }
    let ratio = Double(image.width) / Double(image.height)
    var size = ImageSize(width: longestEdge, height: longestEdge)
    if image.width >= image.height {
      size.height = max(1, Self.even(Int(Double(longestEdge) / ratio)))
    } else {
      size.width = max(1, Self.even(Int(Double(longestEdge) * ratio)))
    }
    guard splits else { return (size, .single, square) }
    // The ratio that is left after rounding decides how many tiles there are.
    let rounded = Double(size.width) / Double(size.height)
    var (columns, rows) = (tiles(size.width), tiles(size.height))
    if size.width >= size.height {
      rows = tiles(Int(Double(columns * tile) / rounded))
    } else {
      columns = tiles(Int(Double(rows * tile) * rounded))
    }
    return (size, TileGrid(rows: rows, columns: columns), square)
  }

  /// Tiles that so many pixels take.
  private func tiles(_ pixels: Int) -> Int { max(1, (pixels + tile - 1) / tile) }

  private static func even(_ number: Int) -> Int { number + number % 2 }

  /// The tiles of an image, row by row, and behind them the whole image where there are several.
  /// // each (tile, tile), or of the image's own proportions
  package func tiles(of image: RGBImage) throws(ImageError) -> [RGBImage] {
    let (size, grid, square) = try sizes(of: image.size)
    var scaled = image.resized(to: size, filter: filter)
    guard !grid.isSingle else { return [scaled.resized(to: square, filter: filter)] }
    scaled = scaled.resized(
      to: ImageSize(width: grid.columns * tile, height: grid.rows * tile), filter: filter)
    var tiles: [RGBImage] = []
    for row in 0..<grid.rows {
      for column in 0..<grid.columns {
        tiles.append(scaled.cropped(x: column * tile, y: row * tile, to: square))
      }
    }
    tiles.append(scaled.resized(to: square, filter: filter))
    return tiles
  }

  /// What each of a channel's 256 values is to the model. // (3, 256)
  package func values() -> [[Float]] {
    zip(mean, deviation).map { mean, deviation in
      (0..<256).map { (Float(Double($0) * rescale) - mean) / deviation }
    }
  }
}

/// Into how many tiles an image is split.
package struct TileGrid: Sendable, Equatable {
  package var rows: Int
  package var columns: Int

  package static let single = TileGrid(rows: 1, columns: 1)
  package var isSingle: Bool { self == .single }
  /// With the one of the whole image.
  package var tileCount: Int { isSingle ? 1 : rows * columns + 1 }
}
