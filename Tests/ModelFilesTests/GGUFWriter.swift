import Foundation

/// Builds small GGUF files for tests, valid or as wrong as a test wants, and remembers where each
/// field lies so that mutations can aim at it.
struct GGUFWriter {
  enum Width { case four, eight }
  struct Field {
    let name: String
    let offset: Int
    let width: Width
  }

  private(set) var bytes: [UInt8] = []
  private(set) var fields: [Field] = []

  init(version: UInt32 = 3, tensorCount: UInt64, metadataCount: UInt64) {
    u32(0x4655_4747, "magic")
    u32(version, "version")
    u64(tensorCount, "tensorCount")
    u64(metadataCount, "metadataCount")
  }

  mutating func u32(_ value: UInt32, _ name: String) {
    fields.append(Field(name: name, offset: bytes.count, width: .four))
    raw(value)
  }

  mutating func u64(_ value: UInt64, _ name: String) {
    fields.append(Field(name: name, offset: bytes.count, width: .eight))
    raw(value)
  }

  mutating func raw<Value: FixedWidthInteger>(_ value: Value) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func string(_ text: String, _ name: String) {
    u64(UInt64(text.utf8.count), "\(name).length")
    bytes.append(contentsOf: Array(text.utf8))
  }

  /// A key and its type; the caller writes the value.
  mutating func key(_ key: String, type: UInt32) {
    string(key, key)
    u32(type, "\(key).type")
  }

  mutating func string(key name: String, _ value: String) {
    key(name, type: 8)
    string(value, "\(name).value")
  }

  mutating func uint32(key name: String, _ value: UInt32) {
    key(name, type: 4)
    u32(value, name)
  }

  mutating func strings(key name: String, _ values: [String]) {
    key(name, type: 9)
    u32(8, "\(name).elementType")
    u64(UInt64(values.count), "\(name).count")
    for value in values { string(value, "\(name)[]") }
  }

  mutating func tensor(_ name: String, dimensions: [UInt64], type: UInt32, offset: UInt64) {
    string(name, name)
    u32(UInt32(dimensions.count), "\(name).dimensionCount")
    for size in dimensions { u64(size, "\(name).dimension") }
    u32(type, "\(name).type")
    u64(offset, "\(name).offset")
  }

  /// Pads to the alignment and adds the data section.
  mutating func data(_ count: Int, alignment: Int = 32) {
    while bytes.count % alignment != 0 { bytes.append(0) }
    for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: index)) }
  }

  /// A valid file with every value type and three tensors.
  static func sample(version: UInt32 = 3) -> GGUFWriter {
    var writer = GGUFWriter(version: version, tensorCount: 3, metadataCount: 15)
    writer.string(key: "general.architecture", "llama")
    writer.uint32(key: "general.alignment", 32)
    writer.key("u8", type: 0)
    writer.raw(UInt8(200))
    writer.key("i8", type: 1)
    writer.raw(Int8(-5))
    writer.key("u16", type: 2)
    writer.raw(UInt16(60_000))
    writer.key("i16", type: 3)
    writer.raw(Int16(-300))
    writer.key("i32", type: 5)
    writer.raw(Int32(-70_000))
    writer.key("f32", type: 6)
    writer.raw(Float(1.5).bitPattern)
    writer.key("flag", type: 7)
    writer.raw(UInt8(1))
    writer.key("u64", type: 10)
    writer.raw(UInt64.max)
    writer.key("i64", type: 11)
    writer.raw(Int64.min)
    writer.key("f64", type: 12)
    writer.raw((-2.25).bitPattern)
    writer.strings(key: "tokens", ["a", "", "Grüße", "日本"])
    writer.key("scores", type: 9)
    writer.u32(6, "scores.elementType")
    writer.u64(3, "scores.count")
    for score in [Float(0), -1, 2.5] { writer.raw(score.bitPattern) }
    writer.key("nested", type: 9)
    writer.u32(9, "nested.elementType")
    writer.u64(2, "nested.count")
    for values in [[Int32(1), 2], [3]] {
      writer.u32(5, "nested.inner.elementType")
      writer.u64(UInt64(values.count), "nested.inner.count")
      for value in values { writer.raw(value) }
    }
    // (2, 8) float32 = 64 bytes; (3, 32) q8_0 = 102 bytes; (4) float16 = 8 bytes.
    writer.tensor("a.weight", dimensions: [8, 2], type: 0, offset: 0)
    writer.tensor("b.weight", dimensions: [32, 3], type: 8, offset: 64)
    writer.tensor("c.bias", dimensions: [4], type: 1, offset: 192)
    writer.data(200)
    return writer
  }
}

/// A file that is removed when the object goes.
final class TemporaryFile {
  let path: String

  init(_ bytes: [UInt8] = []) throws {
    path =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("thalamus-\(UUID().uuidString)").path
    try write(bytes)
  }

  func write(_ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
