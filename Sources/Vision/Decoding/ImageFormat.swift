import CImages

/// How an image is written, by its first bytes; what a client says of it does not count.
package enum ImageFormat: Sendable, Equatable {
  case jpeg, png, webp

  package init?(_ bytes: UnsafeRawBufferPointer) {
    if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      self = .jpeg
    } else if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      self = .png
    } else if bytes.count >= 12, bytes.starts(with: "RIFF".utf8),
      bytes[8..<12].elementsEqual("WEBP".utf8)
    {
      self = .webp
    } else {
      return nil
    }
  }

  package var name: String {
    switch self {
    case .jpeg: "JPEG"
    case .png: "PNG"
    case .webp: "WebP"
    }
  }

  var native: ci_format {
    switch self {
    case .jpeg: CI_JPEG
    case .png: CI_PNG
    case .webp: CI_WEBP
    }
  }
}
