import CImages

/// An image's pixels, 8 bits a channel. // (height, width, 3)
package struct RGBImage: Sendable, Equatable {
  package let size: ImageSize
  package let pixels: [UInt8]

  package var width: Int { size.width }
  package var height: Int { size.height }

  /// - Parameter pixels: Three for each of `size`'s.
  init(size: ImageSize, pixels: [UInt8]) {
    precondition(pixels.count == 3 * size.width * size.height)
    self.size = size
    self.pixels = pixels
  }

  /// Decodes a PNG, JPEG or WebP file, upright as its EXIF tag says.
  ///
  /// The pixels are those that transformers' image processors get from Pillow: what is transparent is put on
  /// white (`convert_to_rgb`; Pillow's own `convert("RGB")` would show the colours that transparency hides), 16 bits
  /// lose their lower halves, and colour profiles and gamma are left aside.
  package init(
    decoding bytes: [UInt8], limits: ImageLimits = ImageLimits()
  ) throws(ImageError) {
    let header = try ImageHeader(bytes, limits: limits)
    let size = header.storedSize
    var pixels: [UInt8] = []
    var status = CI_OK
    var message = ""
    pixels = [UInt8](unsafeUninitializedCapacity: 3 * size.width * size.height) { target, count in
      (status, message) = withMessage { message in
        bytes.withUnsafeBufferPointer { source in
          ci_decode(
            header.format.native, source.baseAddress, source.count,
            ci_size(width: Int64(size.width), height: Int64(size.height)), target.baseAddress,
            message)
        }
      }
      count = status == CI_OK ? 3 * size.width * size.height : 0
    }
    if let error = ImageError(status, message, header.format, size) { throw error }
    let stored = RGBImage(size: size, pixels: pixels)
    self = header.orientation.upright(stored)
  }
}

/// What an image's first bytes say of it; costs next to nothing.
package struct ImageHeader: Sendable, Equatable {
  package let format: ImageFormat
  /// As it is to be shown, within the limits.
  package var size: ImageSize { orientation.upright(storedSize) }
  let orientation: ImageOrientation
  /// As it is written.
  let storedSize: ImageSize

  package init(_ bytes: [UInt8], limits: ImageLimits = ImageLimits()) throws(ImageError) {
    guard !bytes.isEmpty else { throw .empty }
    guard let format = bytes.withUnsafeBytes({ ImageFormat($0) }) else { throw .unknownFormat }
    var found = ci_size()
    let (status, message) = withMessage { message in
      bytes.withUnsafeBufferPointer {
        ci_read_size(format.native, $0.baseAddress, $0.count, &found, message)
      }
    }
    let size = ImageSize(width: Int(found.width), height: Int(found.height))
    if let error = ImageError(status, message, format, size) { throw error }
    guard size.width > 0, size.height > 0 else {
      throw .corrupt(format: format, reason: "\(size.width) x \(size.height) pixels")
    }
    // Each side is within 32 bits.
    guard max(size.width, size.height) <= limits.side, size.width * size.height <= limits.pixels
    else { throw .tooLarge(width: size.width, height: size.height, limits: limits) }
    self.format = format
    storedSize = size
    orientation = bytes.withUnsafeBytes { ImageOrientation($0, format: format) }
  }
}

/// What C says, with its message.
private func withMessage(
  _ body: (UnsafeMutablePointer<CChar>) -> ci_status
) -> (ci_status, String) {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CI_MESSAGE_BYTES)) { message in
    message.initialize(repeating: 0)
    guard let base = message.baseAddress else { return (CI_NO_MEMORY, "") }
    let status = body(base)
    return (status, String(cString: base))
  }
}

extension ImageError {
  fileprivate init?(
    _ status: ci_status, _ message: String, _ format: ImageFormat, _ size: ImageSize
  ) {
    switch status {
    case CI_OK: return nil
    case CI_NO_MEMORY: self = .outOfMemory(width: size.width, height: size.height)
    case CI_UNSUPPORTED: self = .unsupported(format: format, reason: message)
    default: self = .corrupt(format: format, reason: message)
    }
  }
}
