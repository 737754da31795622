import Foundation
import ModelFiles
import Testing

/// Models in several GGUF files.
@Suite struct GGUFPartsTests {
  /// `scripts/fixtures/gguf_parts.py` made it with gguf's own writer, whole and in parts.
  private static let fixture = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "Fixtures/tiny-llama-parts").path

  @Test func partsAreTheWholeFile() throws {
    let whole = try GGUFFile(path: Self.fixture + "/whole.gguf")
    let parts = try GGUFFile(path: Self.fixture + "/tiny-llama-00001-of-00003.gguf")
    #expect(Set(parts.tensorNames) == Set(whole.tensorNames))
    #expect(parts.tensors.count == 21)
    for name in whole.tensorNames {
      let expected = try whole.requiredTensor(named: name)
      let found = try parts.requiredTensor(named: name, shape: expected.info.shape)
      #expect(found.bytes.elementsEqual(expected.bytes), "\(name)")
      found.dropPages(0..<found.bytes.count)
      #expect(found.bytes.elementsEqual(expected.bytes), "dropped pages are read again")
    }
    #expect(parts.strings("tokenizer.ggml.tokens") == whole.strings("tokenizer.ggml.tokens"))
    #expect(parts.weightSize == whole.weightSize)
    #expect(parts.byteCount == 77_344 + 15_168 + 6_688)
  }

  @Test(arguments: [
    ("m-00001-of-00003.gguf", "m", 1, 3), ("/a/b-Q4-00012-of-12345.gguf", "/a/b-Q4", 12, 12_345),
    ("m-00001-of-00001.gguf", "m", 1, 1),
  ])
  func names(path: String, base: String, number: Int, count: Int) throws {
    let name = try #require(GGUFPartName(path))
    #expect(name.base == base && name.number == number && name.count == count)
    #expect(name.path(ofPart: number) == path)
    #expect(name.paths.count == count && name.paths.first == name.path(ofPart: 1))
  }

  @Test(arguments: [
    "m.gguf", "m-1-of-3.gguf", "-00001-of-00003.gguf", "m-00004-of-00003.gguf",
    "m-00000-of-00003.gguf", "m-00001-of-00000.gguf", "m-00001-of-00003.gguf.partial",
    "m-00001-of-00003.bin", "m-000001-of-000003.gguf", "",
  ])
  func noNames(path: String) { #expect(GGUFPartName(path) == nil) }

  // MARK: - What is wrong

  /// A folder with parts as a test wants them.
  private final class Parts {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "thalamus-parts-\(UUID().uuidString)")

    init() throws {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// Writes a part with one tensor.
    func write(
      _ name: String, _ number: UInt32?, of count: UInt32?, tensors: UInt32? = 2, tensor: String
    ) throws {
      let keys = [("split.no", number), ("split.count", count), ("split.tensors.count", tensors)]
        .compactMap { key, value in value.map { (key, $0) } }
      var writer = GGUFWriter(tensorCount: 1, metadataCount: UInt64(keys.count))
      for (key, value) in keys { writer.uint32(key: key, value) }
      writer.tensor(tensor, dimensions: [8], type: 0, offset: 0)
      writer.data(32)
      try Data(writer.bytes).write(to: folder.appending(path: name))
    }

    func error(_ name: String = "m-00001-of-00002.gguf") -> String {
      do {
        _ = try GGUFFile(path: folder.appending(path: name).path)
        return "none"
      } catch {
        return "\(error)".replacing(folder.path + "/", with: "")
      }
    }
  }

  @Test func whatIsMissingOrMixedUpIsSaid() throws {
    let parts = try Parts()
    let (first, second) = ("m-00001-of-00002.gguf", "m-00002-of-00002.gguf")
    try parts.write(first, 0, of: 2, tensor: "a")
    #expect(parts.error().hasPrefix("\(second): file: cannot open: "))
    try parts.write(second, 1, of: 2, tensor: "b")
    #expect(parts.error() == "none")
    #expect(parts.error(second) == "\(second): split.no: is 1, expected 0: \(first)")

    try parts.write(second, 1, of: 2, tensor: "a")
    #expect(parts.error() == "\(second): tensor a: occurs twice")
    try parts.write(second, 0, of: 2, tensor: "b")
    #expect(parts.error() == "\(second): split.no: is 0, expected 1")
    try parts.write(second, 1, of: 3, tensor: "b")
    #expect(parts.error() == "\(second): split.count: is 3, expected 2")
    try parts.write(second, 1, of: 2, tensors: 9, tensor: "b")
    #expect(parts.error() == "\(second): split.tensors.count: is 9, expected 2")
    try parts.write(second, nil, of: nil, tensors: nil, tensor: "b")
    #expect(parts.error() == "\(second): split.no: is missing")
    try Data("no part".utf8).write(to: parts.folder.appending(path: second))
    #expect(parts.error().hasPrefix("\(second): magic"))

    // A part was left out when the file was cut.
    try parts.write(first, 0, of: 2, tensors: 3, tensor: "a")
    try parts.write(second, 1, of: 2, tensors: 3, tensor: "b")
    #expect(
      parts.error() == "\(first): split.tensors.count: is 3, expected 2, the tensors of all parts")
  }

  @Test func theNameMustSayWhereTheOthersAre() throws {
    let parts = try Parts()
    try parts.write("m.gguf", 0, of: 2, tensor: "a")
    #expect(
      parts.error("m.gguf").hasPrefix("m.gguf: split.count: is 2, expected 1, or a file's name"))
    try parts.write("m-00001-of-00003.gguf", 0, of: 2, tensor: "a")
    #expect(
      parts.error("m-00001-of-00003.gguf")
        == "m-00001-of-00003.gguf: split.count: is 2, expected 3, as the file's name says")
    try parts.write("m-00001-of-00003.gguf", nil, of: nil, tensor: "a")
    #expect(parts.error("m-00001-of-00003.gguf").hasSuffix("split.count: is missing"))
    // Whole: put together again, or cut into one.
    for count in [UInt32(0), 1] {
      try parts.write("m.gguf", 0, of: count, tensor: "a")
      #expect(parts.error("m.gguf") == "none")
    }
  }
}
