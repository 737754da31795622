import Kernels

/// A safetensors file over a memory map: an 8-byte length, a JSON header, then the data.
/// As in the reference implementation the data must have neither holes nor overlaps.
package final class SafetensorsFile: TensorSource {
  package let path: String
  package let map: MemoryMap
  /// The free text pairs under `__metadata__`.
  package let metadata: [String: String]
  /// The tensors that can be read, by name.
  package let tensors: [String: TensorInfo]
  /// Tensors of other types than floats, which are bytes to whoever knows what they mean.
  package let rawTensors: [String: RawTensor]

  /// A tensor that is no tensor of floats.
  package struct RawTensor: Sendable, Equatable {
    /// The type's name in the file.
    package let type: String
    /// Outermost dimension first.
    package let shape: [Int]
    /// Where the data lie in the file.
    let range: Range<Int>
  }

  /// Tensors whose type is none of the floats that models compute with, with the type's name in
  /// the file.
  package var unsupportedTensors: [String: String] { rawTensors.mapValues { $0.type } }

  /// The reference implementation's bound on the header.
  static let maximumHeaderBytes: UInt64 = 100_000_000

  package init(path: String) throws(ModelFileError) {
    let map = try MemoryMap(path: path)
    var cursor = ByteCursor(bytes: map.bytes, path: path)
    let length = try cursor.integer(UInt64.self, "header length")
    guard length <= Self.maximumHeaderBytes else {
      throw cursor.error(
        "header length",
        .invalid(value: "\(length)", expected: "at most \(Self.maximumHeaderBytes)"))
    }
    let start = try cursor.skip(length, "header")
    var parser = SafetensorsHeaderParser(
      bytes: UnsafeRawBufferPointer(rebasing: map.bytes[start..<cursor.offset]), path: path)
    try parser.parse()
    let dataStart = cursor.offset
    var tensors: [String: TensorInfo] = [:]
    var raw: [String: RawTensor] = [:]
    var end = 0
    let entries = parser.entries.sorted { ($0.begin, $0.end) < ($1.begin, $1.end) }
    for entry in entries {
      let field = "tensor \(entry.name)"
      guard entry.begin == end, entry.end >= entry.begin else {
        throw cursor.error(
          "\(field).data_offsets",
          .invalid(
            value: "[\(entry.begin), \(entry.end)]",
            expected: "a range that starts at \(end), where the one before ends"))
      }
      guard entry.end <= map.count - dataStart else {
        throw cursor.error(
          "\(field).data_offsets",
          .truncated(
            neededBytes: UInt64(entry.end), availableBytes: UInt64(map.count - dataStart)))
      }
      end = entry.end
      if let size = Self.elementBytes(entry.type) {
        try Self.checkSize(entry, elementBytes: size, cursor)
      }
      if let type = Self.elementType(entry.type) {
        tensors[entry.name] = TensorInfo(
          name: entry.name, shape: entry.shape, elementType: type,
          offset: dataStart + entry.begin, byteCount: entry.end - entry.begin)
      } else {
        raw[entry.name] = RawTensor(
          type: entry.type, shape: entry.shape,
          range: dataStart + entry.begin..<dataStart + entry.end)
      }
    }
    guard end == map.count - dataStart else {
      throw cursor.error(
        "data",
        .invalid(value: "\(map.count - dataStart) bytes", expected: "\(end) as in the header"))
    }
    self.path = path
    self.map = map
    metadata = parser.metadata
    self.tensors = tensors
    rawTensors = raw
  }

  package var tensorNames: [String] { Array(tensors.keys) + Array(rawTensors.keys) }

  package func tensor(named name: String) throws(ModelFileError) -> TensorView? {
    if let info = tensors[name] { return TensorView(info: info, map: map) }
    if let type = rawTensors[name]?.type {
      throw ModelFileError(
        path: path, field: "tensor \(name).dtype", problem: .unsupported(value: type))
    }
    return nil
  }

  /// The bytes of a tensor of another type; valid as long as the file is mapped.
  package func bytes(of tensor: RawTensor) -> UnsafeRawBufferPointer {
    // A description from another file must not reach beyond this one.
    UnsafeRawBufferPointer(rebasing: map.bytes[tensor.range.clamped(to: 0..<map.count)])
  }

  package func dropPages() { map.dropPages() }

  private static func elementType(_ name: String) -> ElementType? {
    switch name {
    case "F32": .f32
    case "F16": .f16
    case "BF16": .bf16
    default: nil
    }
  }

  private static func elementBytes(_ name: String) -> Int? {
    switch name {
    case "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0": 1
    case "I16", "U16", "F16", "BF16": 2
    case "I32", "U32", "F32": 4
    case "I64", "U64", "F64": 8
    default: nil
    }
  }

  private static func checkSize(
    _ entry: SafetensorsHeaderParser.Entry, elementBytes: Int, _ cursor: ByteCursor
  ) throws(ModelFileError) {
    var expected = elementBytes
    for size in entry.shape {
      let (product, overflow) = expected.multipliedReportingOverflow(by: size)
      guard !overflow else {
        throw cursor.error(
          "tensor \(entry.name).shape",
          .invalid(value: "\(entry.shape)", expected: "a size in bytes up to \(Int.max)"))
      }
      expected = product
    }
    guard expected == entry.end - entry.begin else {
      throw cursor.error(
        "tensor \(entry.name).data_offsets",
        .invalid(value: "\(entry.end - entry.begin) bytes", expected: "\(expected) bytes"))
    }
  }
}
