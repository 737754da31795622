/// How an image is to be turned before it is shown: EXIF's tag 0x0112, which cameras write instead of turning pixels.
///
/// A file whose tag is missing or unreadable is shown as it is.
enum ImageOrientation: UInt16, Sendable {
  case upright = 1
  case mirrored = 2
  case upsideDown = 3
  case flipped = 4
  /// Rows are columns: mirrored at the diagonal from the top left.
  case transposed = 5
  /// To be turned to the right by a quarter.
  case turnedLeft = 6
  /// Mirrored at the other diagonal.
  case transversed = 7
  /// To be turned to the left by a quarter.
  case turnedRight = 8

  init(_ bytes: UnsafeRawBufferPointer, format: ImageFormat) {
    let block =
      switch format {
      case .jpeg: Self.jpegBlock(bytes)
      case .png: Self.pngBlock(bytes)
      case .webp: Self.webpBlock(bytes)
      }
    self = block.flatMap { Self.tag(in: bytes, $0) }.flatMap { Self(rawValue: $0) } ?? .upright
  }

  private var swapsSides: Bool { rawValue >= 5 }

  func upright(_ size: ImageSize) -> ImageSize {
    swapsSides ? ImageSize(width: size.height, height: size.width) : size
  }

  func upright(_ image: RGBImage) -> RGBImage {
    guard self != .upright else { return image }
    let size = upright(image.size)
    let (w, h) = (image.width, image.height)
    // Where the shown image's first pixel is, and how far its neighbours are to the right and below.
    let (first, right, down) =
      switch self {
      case .upright: (0, 1, w)
      case .mirrored: (w - 1, -1, w)
      case .upsideDown: (w * h - 1, -1, -w)
      case .flipped: (w * (h - 1), 1, -w)
      case .transposed: (0, w, 1)
      case .turnedLeft: (w * (h - 1), -w, 1)
      case .transversed: (w * h - 1, -w, -1)
      case .turnedRight: (w - 1, w, -1)
      }
    let pixels = [UInt8](unsafeUninitializedCapacity: image.pixels.count) { target, count in
      image.pixels.withUnsafeBufferPointer { source in
        var next = 0
        for row in 0..<size.height {
          var place = 3 * (first + row * down)
          for _ in 0..<size.width {
            target[next] = source[place]
            target[next + 1] = source[place + 1]
            target[next + 2] = source[place + 2]
            next += 3
            place += 3 * right
          }
        }
      }
      count = image.pixels.count
    }
    return RGBImage(size: size, pixels: pixels)
  }
}

// Where each format keeps EXIF's block, and the tag in it. Every offset is checked: these are a client's bytes.
extension ImageOrientation {
  /// Behind "Exif" in a segment APP1, before the image's data.
  private static func jpegBlock(_ bytes: UnsafeRawBufferPointer) -> Range<Int>? {
    var place = 2
    while place + 4 <= bytes.count, bytes[place] == 0xFF {
      let marker = bytes[place + 1]
      if marker == 0xFF {
        place += 1
        continue
      }
      // The image's data, its end, or what has no length: nothing that comes before EXIF.
      guard marker >= 0xC0, marker != 0xDA, marker != 0xD9 else { return nil }
      let length = number(bytes, place + 2, 2, isLittle: false) ?? 0
      let end = place + 2 + length
      guard length >= 2, end <= bytes.count else { return nil }
      if marker == 0xE1, length >= 8, starts(bytes, place + 4, "Exif\0\0") {
        return place + 10..<end
      }
      place = end
    }
    return nil
  }

  private static func pngBlock(_ bytes: UnsafeRawBufferPointer) -> Range<Int>? {
    var place = 8
    while let length = number(bytes, place, 4, isLittle: false) {
      let start = place + 8
      guard start + length <= bytes.count else { return nil }
      if starts(bytes, place + 4, "eXIf") { return start..<start + length }
      place = start + length + 4
    }
    return nil
  }

  private static func webpBlock(_ bytes: UnsafeRawBufferPointer) -> Range<Int>? {
    var place = 12
    while let length = number(bytes, place + 4, 4, isLittle: true) {
      let start = place + 8
      guard start + length <= bytes.count else { return nil }
      if starts(bytes, place, "EXIF") {
        // Some writers keep JPEG's prefix.
        let prefix = starts(bytes, start, "Exif\0\0") ? 6 : 0
        return length >= prefix ? start + prefix..<start + length : nil
      }
      place = start + length + length % 2
    }
    return nil
  }

  /// The tag's value in the first directory of a TIFF block.
  private static func tag(in bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> UInt16? {
    let block = UnsafeRawBufferPointer(rebasing: bytes[range])
    let isLittle: Bool
    if starts(block, 0, "II") {
      isLittle = true
    } else if starts(block, 0, "MM") {
      isLittle = false
    } else {
      return nil
    }
    guard number(block, 2, 2, isLittle: isLittle) == 42,
      let directory = number(block, 4, 4, isLittle: isLittle),
      let count = number(block, directory, 2, isLittle: isLittle)
    else { return nil }
    for index in 0..<count {
      let entry = directory + 2 + 12 * index
      guard let tag = number(block, entry, 2, isLittle: isLittle) else { return nil }
      guard tag == 0x0112 else { continue }
      // A short number.
      guard number(block, entry + 2, 2, isLittle: isLittle) == 3 else { return nil }
      return number(block, entry + 8, 2, isLittle: isLittle).map { UInt16($0) }
    }
    return nil
  }

  private static func starts(
    _ bytes: UnsafeRawBufferPointer, _ place: Int, _ text: String
  ) -> Bool {
    let end = place + text.utf8.count
    return end <= bytes.count && bytes[place..<end].elementsEqual(text.utf8)
  }

  private static func number(
    _ bytes: UnsafeRawBufferPointer, _ place: Int, _ count: Int, isLittle: Bool
  ) -> Int? {
    guard place + count <= bytes.count else { return nil }
    let digits = bytes[place..<place + count]
    var value = 0
    if isLittle {
      for byte in digits.reversed() { value = value << 8 | Int(byte) }
    } else {
      for byte in digits { value = value << 8 | Int(byte) }
    }
    return value
  }
}
