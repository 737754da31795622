import Foundation

/// Named tensors in the safetensors format: a length, a JSON header, then the numbers.
///
/// Only what routers need: F32 and F16, little-endian. Reading checks every length and offset
/// before use; hostile bytes give an error.
package enum TensorArchive {
  package enum ElementType: String, Codable, Sendable {
    case float32 = "F32"
    case float16 = "F16"
    var size: Int { self == .float32 ? 4 : 2 }
  }

  package struct Tensor: Equatable, Sendable {
    package var name: String
    package var shape: [Int]
    package var type: ElementType
    package var values: [Float]

    package init(
      _ name: String, shape: [Int], type: ElementType = .float32, values: [Float]
    ) {
      self.name = name
      self.shape = shape
      self.type = type
      self.values = values
    }
  }

  private struct Entry: Codable {
    var dtype: ElementType
    var shape: [Int]
    var data_offsets: [Int]
  }

  static let maximumHeaderBytes = 1 << 20
  static let maximumBytes = 1 << 31

  package static func encode(_ tensors: [Tensor]) throws -> [UInt8] {
    var entries: [String: Entry] = [:]
    var body: [UInt8] = []
    for tensor in tensors {
      let start = body.count
      for value in tensor.values {
        switch tensor.type {
        case .float32: append(value.bitPattern, to: &body)
        case .float16: append(Float16(value).bitPattern, to: &body)
        }
      }
      entries[tensor.name] = Entry(
        dtype: tensor.type, shape: tensor.shape, data_offsets: [start, body.count])
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    var header = Array(try encoder.encode(entries))
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    var bytes: [UInt8] = []
    append(UInt64(header.count), to: &bytes)
    return bytes + header + body
  }

  package static func decode(_ bytes: [UInt8]) throws(RoutingError) -> [String: Tensor] {
    guard bytes.count >= 8, bytes.count <= maximumBytes else {
      throw .damagedRouter(field: "weights", problem: "\(bytes.count) bytes")
    }
    let length = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[$1]) << UInt64(8 * $1) }
    guard length <= UInt64(min(maximumHeaderBytes, bytes.count - 8)) else {
      throw .damagedRouter(field: "header length", problem: "\(length) is beyond the file")
    }
    let bodyStart = 8 + Int(length)
    let entries: [String: Entry]
    do {
      entries = try JSONDecoder().decode(
        [String: Entry].self, from: Data(bytes[8..<bodyStart]))
    } catch {
      throw .damagedRouter(field: "header", problem: "not the JSON of tensors")
    }
    let bodyCount = bytes.count - bodyStart
    var tensors: [String: Tensor] = [:]
    var total = 0
    for (name, entry) in entries {
      guard let count = elementCount(entry.shape), entry.data_offsets.count == 2 else {
        throw .damagedRouter(field: name, problem: "shape \(entry.shape)")
      }
      let (start, end) = (entry.data_offsets[0], entry.data_offsets[1])
      guard start >= 0, end >= start, end <= bodyCount, end - start == count * entry.dtype.size
      else {
        throw .damagedRouter(field: name, problem: "offsets \(entry.data_offsets)")
      }
      // Tensors cannot overlap, or a small file could claim a lot of memory.
      total += end - start
      guard total <= bodyCount else {
        throw .damagedRouter(field: name, problem: "tensors overlap")
      }
      tensors[name] = Tensor(
        name, shape: entry.shape, type: entry.dtype,
        values: read(bytes, at: bodyStart + start, count: count, type: entry.dtype))
    }
    return tensors
  }

  private static func elementCount(_ shape: [Int]) -> Int? {
    guard shape.count <= 4 else { return nil }
    var count = 1
    for size in shape {
      guard size >= 0 else { return nil }
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow, product <= maximumBytes else { return nil }
      count = product
    }
    return count
  }

  private static func read(
    _ bytes: [UInt8], at start: Int, count: Int, type: ElementType
  ) -> [Float] {
    bytes.withUnsafeBytes { raw in
      (0..<count).map { index in
        switch type {
        case .float32:
          Float(
            bitPattern: UInt32(
              littleEndian: raw.loadUnaligned(fromByteOffset: start + 4 * index, as: UInt32.self)))
        case .float16:
          Float(
            Float16(
              bitPattern: UInt16(
                littleEndian: raw.loadUnaligned(
                  fromByteOffset: start + 2 * index, as: UInt16.self))))
        }
      }
    }
  }

  private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
}
