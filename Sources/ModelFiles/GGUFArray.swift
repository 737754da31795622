/// An array in a GGUF file's metadata, kept as a checked range of the mapped file.
///
/// A vocabulary of 262,144 strings is not turned into 262,144 Swift strings at opening: whoever
/// needs it walks the bytes with `forEachBytes(_:)`.
package struct GGUFArray: Sendable {
  package let elementType: GGUFValueType
  package let count: Int
  /// Where the elements lie in the file.
  let range: Range<Int>
  let map: MemoryMap

  /// Calls the body with the index and the bytes of every string, in order. Nothing happens if
  /// the elements are not strings. The bytes are valid as long as the file is mapped.
  package func forEachBytes<Failure: Error>(
    _ body: (Int, UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    guard elementType == .string else { return }
    let bytes = map.bytes
    var offset = range.lowerBound
    // The lengths were checked when the file was opened.
    for index in 0..<count {
      let length = Int(
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
      offset += 8
      try body(index, UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]))
      offset += length
    }
  }

  /// The total size of the strings, without their lengths; 0 if the elements are not strings.
  package var stringByteCount: Int {
    elementType == .string ? range.count - 8 * count : 0
  }

  /// The elements as strings (ill-formed UTF-8 repaired), or nil if they are not strings.
  package var strings: [String]? {
    guard elementType == .string else { return nil }
    var result: [String] = []
    result.reserveCapacity(count)
    forEachBytes { _, bytes in result.append(String(decoding: bytes, as: UTF8.self)) }
    return result
  }

  /// The elements as integers, or nil if they are not integers or one does not fit.
  package var ints: [Int]? {
    switch elementType {
    case .uint8: load(UInt8.self)
    case .int8: load(Int8.self)
    case .uint16: load(UInt16.self)
    case .int16: load(Int16.self)
    case .uint32: load(UInt32.self)
    case .int32: load(Int32.self)
    case .uint64: load(UInt64.self)
    case .int64: load(Int64.self)
    case .float32, .float64, .bool, .string, .array: nil
    }
  }

  /// The elements as 32-bit floats, or nil if they are not floats.
  package var floats: [Float]? {
    let bytes = map.bytes
    switch elementType {
    case .float32:
      return (0..<count).map { index in
        Float(
          bitPattern: UInt32(
            littleEndian: bytes.loadUnaligned(
              fromByteOffset: range.lowerBound + 4 * index, as: UInt32.self)))
      }
    case .float64:
      return (0..<count).map { index in
        Float(
          Double(
            bitPattern: UInt64(
              littleEndian: bytes.loadUnaligned(
                fromByteOffset: range.lowerBound + 8 * index, as: UInt64.self))))
      }
    default: return nil
    }
  }

  /// The elements as booleans, or nil if they are not booleans.
  package var bools: [Bool]? {
    guard elementType == .bool else { return nil }
    return range.map { map.bytes[$0] != 0 }
  }

  /// The elements as arrays, or nil if they are not arrays.
  package var arrays: [GGUFArray]? {
    guard elementType == .array else { return nil }
    var cursor = ByteCursor(bytes: map.bytes, path: map.path, offset: range.lowerBound)
    var result: [GGUFArray] = []
    for _ in 0..<count {
      guard let array = try? GGUFArray(reading: &cursor, map: map, key: "array") else {
        return nil
      }
      result.append(array)
    }
    return result
  }

  private func load<Element: FixedWidthInteger>(_ type: Element.Type) -> [Int]? {
    var result: [Int] = []
    result.reserveCapacity(count)
    var offset = range.lowerBound
    for _ in 0..<count {
      let raw = map.bytes.loadUnaligned(fromByteOffset: offset, as: Element.self)
      guard let value = Int(exactly: Element(littleEndian: raw)) else { return nil }
      result.append(value)
      offset += MemoryLayout<Element>.size
    }
    return result
  }
}

extension GGUFArray {
  /// Arrays within arrays deeper than this are refused; no known file has more than two levels.
  static let maximumDepth = 8

  /// Reads an array's type and count and checks every element, without keeping any.
  init(
    reading cursor: inout ByteCursor, map: MemoryMap, key: String, depth: Int = 1
  ) throws(ModelFileError) {
    guard depth <= Self.maximumDepth else {
      throw cursor.error(
        key,
        .invalid(
          value: "nested \(depth) levels deep", expected: "at most \(Self.maximumDepth) levels"))
    }
    let rawType = try cursor.integer(UInt32.self, "\(key).elementType")
    guard let type = GGUFValueType(rawValue: rawType) else {
      throw cursor.error(
        "\(key).elementType", .invalid(value: "\(rawType)", expected: "a type from 0 to 12"))
    }
    let rawCount = try cursor.integer(UInt64.self, "\(key).count")
    // No element is smaller than this, so a larger count cannot be true.
    guard rawCount <= UInt64(cursor.remaining / type.minimumSize) else {
      let (needed, overflow) = rawCount.multipliedReportingOverflow(by: UInt64(type.minimumSize))
      throw cursor.error(
        "\(key).count",
        .truncated(
          neededBytes: overflow ? .max : needed, availableBytes: UInt64(cursor.remaining)))
    }
    let start = cursor.offset
    if let size = type.fixedSize {
      _ = try cursor.skip(rawCount * UInt64(size), key)
    } else if type == .string {
      for index in 0..<Int(rawCount) {
        let length = try cursor.integer(UInt64.self, "\(key)[\(index)].length")
        _ = try cursor.skip(length, "\(key)[\(index)]")
      }
    } else {
      for index in 0..<Int(rawCount) {
        _ = try GGUFArray(
          reading: &cursor, map: map, key: "\(key)[\(index)]", depth: depth + 1)
      }
    }
    self.init(
      elementType: type, count: Int(rawCount), range: start..<cursor.offset, map: map)
  }
}
