import Foundation
import Testing
import Vision

/// Images of all kinds against Pillow's pixels; golden files by scripts/fixtures/images.py.
struct ImageDecodingTests {
  struct Golden: Decodable {
    var width: Int
    var height: Int
    var pixels: Data
  }

  @Test func pixelsArePillows() throws {
    let golden = try Fixture.json("images/pixels", as: [String: Golden].self)
    #expect(golden.count == 39)
    for (name, expected) in golden.sorted(by: { $0.key < $1.key }) {
      let bytes = try Fixture.bytes("images/" + name)
      let image = try RGBImage(decoding: bytes)
      #expect(image.width == expected.width && image.height == expected.height, "\(name)")
      #expect(try ImageHeader(bytes).size == image.size, "\(name)")
      try #require(image.pixels.count == expected.pixels.count, "\(name)")
      let farthest = zip(image.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
      // Lossy formats leave rounding to the library; Pillow brings its own.
      let lossy = name.hasSuffix("jpeg") || name.hasPrefix("lossy")
      #expect(farthest <= (lossy ? 2 : 0), "\(name)")
    }
  }

  @Test func turnedImagesShowTheSame() throws {
    // The pixels lie as the tag says, so that each tag gives another image.
    let shown = try (1...8).map {
      try RGBImage(decoding: Fixture.bytes("images/turned-\($0).jpeg"))
    }
    for first in 0..<8 {
      #expect(shown[first].width == (first < 4 ? 21 : 14))
      for second in 0..<first { #expect(shown[first] != shown[second]) }
    }
  }

  @Test func whatIsNoImageIsRefused() throws {
    #expect(throws: ImageError.empty) { try RGBImage(decoding: []) }
    #expect(throws: ImageError.unknownFormat) { try RGBImage(decoding: Array("GIF89a".utf8)) }
    #expect(throws: ImageError.unknownFormat) {
      try RGBImage(decoding: Array("RIFFxxxxWAVE".utf8))
    }
    #expect(throws: ImageError.self) { try RGBImage(decoding: [0xFF, 0xD8, 0xFF]) }
  }

  @Test func sizesAreBounded() throws {
    let bytes = try Fixture.bytes("images/rgb.png")
    let narrow = ImageLimits(pixels: 1 << 20, side: 20)
    #expect(throws: ImageError.tooLarge(width: 21, height: 14, limits: narrow)) {
      try RGBImage(decoding: bytes, limits: narrow)
    }
    let few = ImageLimits(pixels: 21 * 14 - 1, side: 100)
    #expect(throws: ImageError.tooLarge(width: 21, height: 14, limits: few)) {
      try ImageHeader(bytes, limits: few)
    }
    _ = try RGBImage(decoding: bytes, limits: ImageLimits(pixels: 21 * 14, side: 21))
  }

  /// A header that promises more than anybody has memory for.
  @Test(arguments: ["rgb.png", "half.jpeg", "lossless.webp"])
  func absurdSizesAllocateNothing(_ name: String) throws {
    var bytes = try Fixture.bytes("images/" + name)
    switch name {
    case "rgb.png":
      bytes.replaceSubrange(16..<24, with: [0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF])
    case "half.jpeg":
      let start = try #require(
        bytes.indices.first { bytes[$0...].starts(with: [0xFF, 0xC0, 0x00, 0x11]) })
      bytes.replaceSubrange(start + 5..<start + 9, with: [0xFF, 0xDC, 0xFF, 0xDC])
    default:
      // Fourteen bits each of width and height behind the signature.
      bytes.replaceSubrange(21..<25, with: [0xFF, 0xFF, 0xFF, 0x0F])
    }
    #expect(throws: ImageError.self) { try RGBImage(decoding: bytes) }
  }

  /// Every file cut at every byte: read, where only what follows the pixels is missing, or refused.
  @Test func cutFilesAreRefused() throws {
    for name in try names() {
      let bytes = try Fixture.bytes("images/" + name)
      var refused = 0
      for count in 0..<bytes.count {
        do { _ = try RGBImage(decoding: Array(bytes[..<count])) } catch { refused += 1 }
      }
      #expect(refused >= bytes.count * 3 / 4, "\(name)")
    }
  }

  /// Every byte of every file changed: an image or a typed error, and no crash.
  @Test func changedFilesDoNoHarm() throws {
    let limits = ImageLimits(pixels: 1 << 16, side: 1024)
    for name in try names() {
      let bytes = try Fixture.bytes("images/" + name)
      var read = 0
      for place in bytes.indices {
        for mask in [0x01, 0x80, 0xFF] as [UInt8] {
          var changed = bytes
          changed[place] ^= mask
          do {
            let image = try RGBImage(decoding: changed, limits: limits)
            #expect(image.pixels.count == 3 * image.width * image.height)
            read += 1
          } catch {}
        }
      }
      #expect(read < 3 * bytes.count, "\(name)")
    }
  }

  private func names() throws -> [String] {
    try Fixture.json("images/pixels", as: [String: Golden].self).keys.sorted()
  }
}
