/// UTF-8 text decoded once into scalars, their classes and their places.
struct ScalarText {
  private(set) var scalars: [UInt32] = []
  private(set) var classes: [ScalarClass] = []
  /// Byte offset of each scalar; one more entry than scalars.
  private(set) var offsets: [Int] = []

  var count: Int { scalars.count }

  /// The text must be well-formed UTF-8, as every Swift string is; what is not becomes U+FFFD.
  init(_ text: UnsafeRawBufferPointer) {
    scalars.reserveCapacity(text.count)
    classes.reserveCapacity(text.count)
    offsets.reserveCapacity(text.count + 1)
    var index = 0
    while index < text.count {
      let lead = text[index]
      offsets.append(index)
      var value = UInt32(lead)
      var length = 1
      if lead >= 0x80 {
        length = min(UTF8Boundary.length(lead: lead) ?? 1, text.count - index)
        switch length {
        case 2: value &= 0x1F
        case 3: value &= 0x0F
        case 4: value &= 0x07
        default: value = 0xFFFD
        }
        for next in 1..<max(1, length) { value = value << 6 | UInt32(text[index + next] & 0x3F) }
      }
      let scalar = Unicode.Scalar(value) ?? "\u{FFFD}"
      scalars.append(scalar.value)
      classes.append(ScalarClass(scalar))
      index += length
    }
    offsets.append(text.count)
  }
}
