/// What is decoded at most, and into how much it is turned. Pixels and side are compared with what the header says, before
/// anything is allocated.
package struct ImageLimits: Sendable, Equatable {
  package var pixels: Int
  /// The longer side, in pixels.
  package var side: Int
  /// Rows of embeddings that an image becomes of a model which sees images in their own proportions.
  package var rows: Int

  /// By default an image's pixels take 192 MB at most, and a progressive JPEG's coefficients twice that on the way.
  package init(pixels: Int = 64 << 20, side: Int = 16_384, rows: Int = 1024) {
    self.rows = rows
    self.pixels = pixels
    self.side = side
  }
}

/// Width and height in pixels.
package struct ImageSize: Sendable, Hashable {
  package var width: Int
  package var height: Int

  package init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }
}
