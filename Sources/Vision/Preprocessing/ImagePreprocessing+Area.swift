extension ImagePreprocessing {
  /// The sizes of images that are seen in their own proportions.
  package struct Area: Sendable, Equatable {
    /// What both sides are multiples of, in pixels: a square of it becomes a row of embeddings.
    package var unit: Int
    /// Pixels at least, and at most.
    package var least: Int
    package var most: Int

    package init(unit: Int, least: Int, most: Int) {
      self.unit = unit
      self.least = least
      self.most = most
    }

    /// Allows no more than so many rows.
    mutating func limit(rows: Int) {
      let (pixels, overflow) = rows.multipliedReportingOverflow(by: unit * unit)
      if !overflow { most = min(most, max(pixels, unit * unit)) }
      least = min(least, most)
    }

    /// transformers refuses images that are longer.
    static let longestRatio = 200

    /// The size that an image is given, as transformers' `smart_resize` computes it.
    package func size(of image: ImageSize) throws(ImageError) -> ImageSize {
      let (long, short) = (max(image.width, image.height), min(image.width, image.height))
      guard long <= Self.longestRatio * short else {
        throw .tooNarrow(width: image.width, height: image.height, ratio: Self.longestRatio)
      }
      let (width, height) = (Double(image.width), Double(image.height))
      let size = ImageSize(
        width: units(width, .toNearestOrEven), height: units(height, .toNearestOrEven))
      if size.width * size.height > most {
        let factor = (width * height / Double(most)).squareRoot()
        return ImageSize(
          width: max(unit, units(width / factor, .down)),
          height: max(unit, units(height / factor, .down)))
      }
      if size.width * size.height < least {
        let factor = (Double(least) / (width * height)).squareRoot()
        return ImageSize(width: units(width * factor, .up), height: units(height * factor, .up))
      }
      return size
    }

    /// A side of whole units.
    private func units(_ side: Double, _ rule: FloatingPointRoundingRule) -> Int {
      Int((side / Double(unit)).rounded(rule)) * unit
    }
  }
}
