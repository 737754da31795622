/// One file in GGUF's form, opened and checked: a model, or a part of one.
struct GGUFPart {
  let map: MemoryMap
  let version: UInt32
  let metadata: [String: GGUFValue]
  let tensors: [String: TensorInfo]
  let unsupportedTensors: [String: UInt32]

  /// Longest name of a key or a tensor, in bytes. GGUF's specification allows 65,535 for keys.
  static let maximumKeyBytes = 65_535
  static let maximumTensorNameBytes = 256
  static let maximumAlignment = 1 << 20
  /// Bounds on the counts, so that a file of empty descriptions cannot make the tables of them
  /// many times larger than itself. The largest known models have a few thousand of each.
  static let maximumTensorCount = 65_536
  static let maximumMetadataCount = 65_536

  init(path: String) throws(ModelFileError) {
    let map = try MemoryMap(path: path)
    var cursor = ByteCursor(bytes: map.bytes, path: path)
    let header = try Header(reading: &cursor)
    let metadata = try Self.readMetadata(&cursor, map: map, count: header.metadataCount)
    let alignment = try Self.alignment(of: metadata, path: path)
    var table = GGUFTensorTable(path: path)
    try table.read(&cursor, count: header.tensorCount)
    try table.locate(after: cursor.offset, alignment: alignment, fileSize: map.count)
    self.map = map
    version = header.version
    self.metadata = metadata
    tensors = table.tensors
    unsupportedTensors = table.unsupported
  }
}

extension GGUFPart {
  /// The fixed part at the start of the file.
  private struct Header {
    let version: UInt32
    let tensorCount: UInt64
    let metadataCount: UInt64

    init(reading cursor: inout ByteCursor) throws(ModelFileError) {
      let magic = try cursor.integer(UInt32.self, "magic")
      guard magic == 0x4655_4747 else {
        throw cursor.error(
          "magic", .invalid(value: String(magic, radix: 16), expected: "46554747 (GGUF)"))
      }
      version = try cursor.integer(UInt32.self, "version")
      guard version == 2 || version == 3 else {
        throw cursor.error("version", .unsupported(value: "version \(version)"))
      }
      tensorCount = try cursor.integer(UInt64.self, "tensorCount")
      metadataCount = try cursor.integer(UInt64.self, "metadataCount")
      // The smallest tensor description takes 33 bytes, the smallest pair 14.
      try Self.check(
        tensorCount, "tensorCount", minimumBytes: 33, maximum: maximumTensorCount, cursor)
      try Self.check(
        metadataCount, "metadataCount", minimumBytes: 14, maximum: maximumMetadataCount, cursor)
    }

    private static func check(
      _ count: UInt64, _ field: String, minimumBytes: UInt64, maximum: Int, _ cursor: ByteCursor
    ) throws(ModelFileError) {
      let (needed, overflow) = count.multipliedReportingOverflow(by: minimumBytes)
      guard !overflow, needed <= UInt64(cursor.remaining) else {
        throw cursor.error(
          field,
          .truncated(
            neededBytes: overflow ? .max : needed, availableBytes: UInt64(cursor.remaining)))
      }
      guard count <= UInt64(maximum) else {
        throw cursor.error(field, .invalid(value: "\(count)", expected: "at most \(maximum)"))
      }
    }
  }

  private static func readMetadata(
    _ cursor: inout ByteCursor, map: MemoryMap, count: UInt64
  ) throws(ModelFileError) -> [String: GGUFValue] {
    var metadata: [String: GGUFValue] = [:]
    for index in 0..<count {
      let key = try cursor.name("metadata[\(index)].key", maximumBytes: maximumKeyBytes)
      let rawType = try cursor.integer(UInt32.self, "\(key).type")
      guard let type = GGUFValueType(rawValue: rawType) else {
        throw cursor.error(
          "\(key).type", .invalid(value: "\(rawType)", expected: "a type from 0 to 12"))
      }
      let value = try GGUFValue(reading: &cursor, type: type, map: map, key: key)
      guard metadata.updateValue(value, forKey: key) == nil else {
        throw cursor.error(key, .duplicate)
      }
    }
    return metadata
  }

  private static func alignment(
    of metadata: [String: GGUFValue], path: String
  ) throws(ModelFileError) -> Int {
    guard let value = metadata["general.alignment"] else { return 32 }
    guard let alignment = value.int, alignment > 0, alignment <= maximumAlignment,
      alignment & (alignment - 1) == 0
    else {
      throw ModelFileError(
        path: path, field: "general.alignment",
        problem: .invalid(
          value: value.int.map(String.init) ?? value.typeName,
          expected: "a power of two up to \(maximumAlignment)"))
    }
    return alignment
  }
}

extension GGUFValue {
  fileprivate init(
    reading cursor: inout ByteCursor, type: GGUFValueType, map: MemoryMap, key: String
  ) throws(ModelFileError) {
    switch type {
    case .uint8: self = .unsigned(UInt64(try cursor.integer(UInt8.self, key)))
    case .uint16: self = .unsigned(UInt64(try cursor.integer(UInt16.self, key)))
    case .uint32: self = .unsigned(UInt64(try cursor.integer(UInt32.self, key)))
    case .uint64: self = .unsigned(try cursor.integer(UInt64.self, key))
    case .int8: self = .signed(Int64(try cursor.integer(Int8.self, key)))
    case .int16: self = .signed(Int64(try cursor.integer(Int16.self, key)))
    case .int32: self = .signed(Int64(try cursor.integer(Int32.self, key)))
    case .int64: self = .signed(try cursor.integer(Int64.self, key))
    case .float32:
      self = .float(Double(Float(bitPattern: try cursor.integer(UInt32.self, key))))
    case .float64: self = .float(Double(bitPattern: try cursor.integer(UInt64.self, key)))
    case .bool:
      let raw = try cursor.integer(UInt8.self, key)
      guard raw <= 1 else {
        throw cursor.error(key, .invalid(value: "\(raw)", expected: "0 or 1"))
      }
      self = .bool(raw == 1)
    case .string:
      self = .string(String(decoding: try cursor.stringBytes(key), as: UTF8.self))
    case .array:
      self = .array(try GGUFArray(reading: &cursor, map: map, key: key))
    }
  }
}
