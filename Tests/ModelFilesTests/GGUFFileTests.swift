import Foundation
import Kernels
import ModelFiles
import Testing

@Suite struct GGUFFileTests {
  @Test(arguments: [UInt32(2), 3]) func readsEveryValueType(version: UInt32) throws {
    let temporary = try TemporaryFile(GGUFWriter.sample(version: version).bytes)
    let file = try GGUFFile(path: temporary.path)
    #expect(file.version == version)
    #expect(file.metadata.count == 15)
    #expect(file.string("general.architecture") == "llama")
    #expect(file.int("u8") == 200)
    #expect(file.int("i8") == -5)
    #expect(file.int("u16") == 60_000)
    #expect(file.int("i16") == -300)
    #expect(file.int("i32") == -70_000)
    #expect(file.double("f32") == 1.5)
    #expect(file.bool("flag") == true)
    #expect(file.int("u64") == nil, "does not fit an Int")
    #expect(file.int("i64") == Int.min)
    #expect(file.double("f64") == -2.25)
    #expect(file.strings("tokens") == ["a", "", "Grüße", "日本"])
    #expect(file.floats("scores") == [0, -1, 2.5])
    #expect(file.array("nested")?.arrays?.map(\.ints) == [[1, 2], [3]])
    #expect(file.ints("tokens") == nil)
    #expect(file.string("u8") == nil)
  }

  @Test func readsTensorsOutermostDimensionFirst() throws {
    let temporary = try TemporaryFile(GGUFWriter.sample().bytes)
    let file = try GGUFFile(path: temporary.path)
    let a = try file.requiredTensor(named: "a.weight", shape: [2, 8])
    #expect(a.info.elementType == .f32)
    #expect(a.bytes.count == 64)
    #expect(Array(a.bytes) == (0..<64).map { UInt8($0) })
    let b = try file.requiredTensor(named: "b.weight", shape: [3, 32])
    #expect(b.info.elementType == .q8_0)
    #expect(b.bytes.count == 102)
    #expect(b.bytes.first == 64)
    b.dropPages(0..<b.bytes.count)
    #expect(b.bytes.first == 64, "dropped pages are read again")
    #expect(try file.tensor(named: "missing") == nil)
  }

  @Test func errorsNameTheFieldAndTheValue() throws {
    try expectError("magic: is 0, expected 46554747 (GGUF)") { $0.patch("magic", 0) }
    try expectError("version: version 1 is not supported") { $0.patch("version", 1) }
    try expectError("tensorCount: needs 18446744073709551615 bytes") {
      $0.patch("tensorCount", UInt64.max)
    }
    try expectError("tokens.count: needs") { $0.patch("tokens.count", 1 << 60) }
    try expectError("tokens[0]: needs 9223372036854775808 bytes") {
      $0.patch("tokens[].length", 1 << 63)
    }
    try expectError("general.alignment: is 0, expected a power of two") {
      $0.patch("general.alignment", 0)
    }
    try expectError("general.alignment: is 48, expected") { $0.patch("general.alignment", 48) }
    try expectError("tensor a.weight.dimensions[0]: is 9223372036854775808, expected") {
      $0.patch("a.weight.dimension", 1 << 63)
    }
    try expectError("tensor a.weight.dimensions[0]: is 0, expected") {
      $0.patch("a.weight.dimension", 0)
    }
    try expectError("tensor a.weight.dimensions[1]: is 2, expected a product") {
      $0.patch("a.weight.dimension", 1 << 62)
    }
    try expectError("tensor b.weight.dimensions[0]: is 31, expected a multiple of q8_0") {
      $0.patch("b.weight.dimension", 31)
    }
    try expectError("tensor b.weight.offset: overlaps the data of tensor a.weight") {
      $0.patch("b.weight.offset", 32)
    }
    try expectError("tensor b.weight.offset: is 65, expected a multiple of 32") {
      $0.patch("b.weight.offset", 65)
    }
    try expectError("tensor c.bias.offset: needs") { $0.patch("c.bias.offset", 1 << 40) }
    try expectError("u8.type: is 13, expected") { $0.patch("u8.type", 13) }
    try expectError("tensor c.bias.dimensionCount: is 5") { $0.patch("c.bias.dimensionCount", 5) }
  }

  @Test func unknownTensorTypeIsAnErrorOnlyWhenAskedFor() throws {
    var bytes = PatchedFile(writer: .sample())
    bytes.patch("c.bias.type", 99)
    let temporary = try TemporaryFile(bytes.bytes)
    let file = try GGUFFile(path: temporary.path)
    #expect(file.int("u8") == 200)
    #expect(file.unsupportedTensors == ["c.bias": 99])
    let error = #expect(throws: ModelFileError.self) { try file.tensor(named: "c.bias") }
    #expect(
      error?.description.hasSuffix("tensor c.bias.type: ggml type 99 is not supported") == true)
  }

  @Test func duplicatesAreRefused() throws {
    var writer = GGUFWriter(tensorCount: 0, metadataCount: 2)
    writer.uint32(key: "k", 1)
    writer.uint32(key: "k", 2)
    let keys = try TemporaryFile(writer.bytes)
    let first = #expect(throws: ModelFileError.self) { try GGUFFile(path: keys.path) }
    #expect(first?.problem == .duplicate)
    writer = GGUFWriter(tensorCount: 2, metadataCount: 0)
    writer.tensor("t", dimensions: [8], type: 0, offset: 0)
    writer.tensor("t", dimensions: [8], type: 0, offset: 32)
    writer.data(64)
    let tensors = try TemporaryFile(writer.bytes)
    let second = #expect(throws: ModelFileError.self) { try GGUFFile(path: tensors.path) }
    #expect(second?.problem == .duplicate)
  }

  @Test func deepNestingIsRefused() throws {
    var writer = GGUFWriter(tensorCount: 0, metadataCount: 1)
    writer.key("deep", type: 9)
    for _ in 0..<100_000 {
      writer.raw(UInt32(9))
      writer.raw(UInt64(1))
    }
    let temporary = try TemporaryFile(writer.bytes)
    let error = #expect(throws: ModelFileError.self) { try GGUFFile(path: temporary.path) }
    #expect(error?.description.contains("nested") == true)
  }

  @Test func opensNoDirectoryAndNoEmptyFile() throws {
    #expect(throws: ModelFileError.self) { try GGUFFile(path: "/") }
    #expect(throws: ModelFileError.self) { try GGUFFile(path: "/nonexistent.gguf") }
    let empty = try TemporaryFile()
    #expect(throws: ModelFileError.self) { try GGUFFile(path: empty.path) }
  }

  @Test(arguments: [
    ("smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf", "llama", 272, [49_152, 576], 49_152),
    ("gemma3-270m/gemma-3-270m-q4_k_m.gguf", "gemma3", 236, [262_144, 640], 262_144),
  ])
  func readsTheShippedModels(
    _ model: (path: String, architecture: String, tensors: Int, embedding: [Int], vocabulary: Int)
  ) throws {
    let file = try GGUFFile(path: ModelFolder.path(model.path))
    #expect(try file.requiredString("general.architecture") == model.architecture)
    #expect(file.tensors.count == model.tensors)
    _ = try file.requiredTensor(named: "token_embd.weight", shape: model.embedding)
    let tokens = try file.requiredArray("tokenizer.ggml.tokens", of: .string)
    #expect(tokens.count == model.vocabulary)
    var bytes = 0
    tokens.forEachBytes { _, token in bytes += token.count }
    #expect(bytes == tokens.stringByteCount)
  }

  private func expectError(
    _ text: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ change: (inout PatchedFile) -> Void
  ) throws {
    var file = PatchedFile(writer: .sample())
    change(&file)
    let temporary = try TemporaryFile(file.bytes)
    let error = #expect(throws: ModelFileError.self, sourceLocation: sourceLocation) {
      try GGUFFile(path: temporary.path)
    }
    let description = error?.description ?? ""
    #expect(description.contains(": \(text)"), "\(description)", sourceLocation: sourceLocation)
  }
}

/// The sample file with some fields overwritten.
struct PatchedFile {
  let writer: GGUFWriter
  var bytes: [UInt8]

  init(writer: GGUFWriter) {
    self.writer = writer
    bytes = writer.bytes
  }

  /// Overwrites the first field of that name.
  mutating func patch(_ name: String, _ value: UInt64) {
    guard let field = writer.fields.first(where: { $0.name == name }) else {
      Issue.record("no field \(name)")
      return
    }
    patch(field, value)
  }

  mutating func patch(_ field: GGUFWriter.Field, _ value: UInt64) {
    for index in 0..<(field.width == .four ? 4 : 8) {
      bytes[field.offset + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
    }
  }
}

/// The models that `make models` fetches.
enum ModelFolder {
  static func path(_ name: String) -> String {
    URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("models").appendingPathComponent(name).path
  }
}
