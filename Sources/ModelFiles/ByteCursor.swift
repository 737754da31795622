/// Reads little-endian fields one after the other, each checked against the end of the file.
struct ByteCursor {
  let bytes: UnsafeRawBufferPointer
  let path: String
  private(set) var offset = 0

  var remaining: Int { bytes.count - offset }

  init(bytes: UnsafeRawBufferPointer, path: String, offset: Int = 0) {
    self.bytes = bytes
    self.path = path
    self.offset = offset
  }

  func error(_ field: String, _ problem: ModelFileError.Problem) -> ModelFileError {
    ModelFileError(path: path, field: field, problem: problem)
  }

  /// Moves on by `length` bytes and returns where they start.
  @inline(__always)
  mutating func skip(
    _ length: UInt64, _ field: @autoclosure () -> String
  ) throws(ModelFileError) -> Int {
    guard length <= UInt64(remaining) else {
      throw error(
        field(), .truncated(neededBytes: length, availableBytes: UInt64(remaining)))
    }
    let start = offset
    offset += Int(length)
    return start
  }

  @inline(__always)
  mutating func integer<Value: FixedWidthInteger>(
    _ type: Value.Type, _ field: @autoclosure () -> String
  ) throws(ModelFileError) -> Value {
    let start = try skip(UInt64(MemoryLayout<Value>.size), field())
    return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: Value.self))
  }

  /// A string as GGUF stores it: a 64-bit length, then the bytes.
  @inline(__always)
  mutating func stringBytes(
    _ field: @autoclosure () -> String
  ) throws(ModelFileError) -> UnsafeRawBufferPointer {
    let length = try integer(UInt64.self, "\(field()).length")
    let start = try skip(length, field())
    return UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
  }

  /// A name: valid UTF-8, not empty, of bounded length.
  mutating func name(
    _ field: @autoclosure () -> String, maximumBytes: Int
  ) throws(ModelFileError) -> String {
    let raw = try stringBytes(field())
    guard !raw.isEmpty, raw.count <= maximumBytes else {
      throw error(
        "\(field()).length",
        .invalid(value: "\(raw.count)", expected: "1 to \(maximumBytes) bytes"))
    }
    guard let text = String(validating: raw, as: UTF8.self) else {
      throw error(field(), .invalid(value: "not UTF-8", expected: "UTF-8 text"))
    }
    return text
  }
}
