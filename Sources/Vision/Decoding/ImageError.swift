/// Why an image could not be read.
package enum ImageError: Error, Equatable, Sendable {
  /// Not one byte.
  case empty
  /// Neither PNG, JPEG nor WebP, as their first bytes show.
  case unknownFormat
  /// A valid image of a kind that is not read: an animation, arithmetic coding.
  case unsupported(format: ImageFormat, reason: String)
  /// The file ends too soon, or its bytes are none of its format.
  case corrupt(format: ImageFormat, reason: String)
  /// More pixels, or a longer side, than are decoded.
  case tooLarge(width: Int, height: Int, limits: ImageLimits)
  /// Longer than the model sees, so many times its other side.
  case tooNarrow(width: Int, height: Int, ratio: Int)
  /// The system gave no memory for an image of this size.
  case outOfMemory(width: Int, height: Int)
}

extension ImageError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .empty: "the image is empty"
    case .unknownFormat: "the image is neither PNG, JPEG nor WebP"
    case .unsupported(let format, let reason):
      "the \(format.name) image is of a kind that is not supported: \(reason)"
    case .corrupt(let format, let reason): "the \(format.name) image can't be read: \(reason)"
    case .tooLarge(let width, let height, let limits):
      "the image has \(width) x \(height) pixels; at most \(limits.pixels) are read, "
        + "\(limits.side) a side"
    case .tooNarrow(let width, let height, let ratio):
      "the image has \(width) x \(height) pixels; the model sees none whose longer side is more than "
        + "\(ratio) times the other"
    case .outOfMemory(let width, let height): "no memory for an image of \(width) x \(height)"
    }
  }
}
