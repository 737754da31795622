import Foundation
import Kernels
import ModelFiles
import Testing
import Transformer

/// A copy of a folder under Fixtures/checkpoints, gone when the test ends.
final class CheckpointCopy {
  let path: String

  init(of name: String) throws {
    path = NSTemporaryDirectory() + "checkpoint-\(UUID().uuidString)"
    try FileManager.default.copyItem(
      atPath: Fixture.path("checkpoints/\(name)"), toPath: path)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ bytes: Data, to file: String) throws {
    try bytes.write(to: URL(fileURLWithPath: path + "/" + file))
  }

  func read(_ file: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path + "/" + file))
  }

  /// Gives a safetensors file's tensors other names.
  func renameTensors(_ file: String, _ rename: (String) -> String) throws {
    let bytes = try read(file)
    let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = try #require(
      JSONSerialization.jsonObject(with: bytes[8..<8 + length]) as? [String: Any])
    let renamed = Dictionary(uniqueKeysWithValues: header.map { (rename($0.key), $0.value) })
    var changed = try JSONSerialization.data(withJSONObject: renamed)
    changed.append(Data(repeating: 0x20, count: (8 - changed.count % 8) % 8))
    let count = withUnsafeBytes(of: UInt64(changed.count).littleEndian) { Data($0) }
    try write(count + changed + bytes[(8 + length)...], to: file)
  }

  /// Loads what the folder holds; what loads, runs.
  func load() throws {
    var options = DecoderOptions(precision: .float)
    options.maximumRows = 8
    let decoder = try Decoder(
      checkpoint: CheckpointFolder(path: path), pool: #require(Fixture.pool), options: options)
    if decoder.contextLength >= 2 { _ = try decoder.greedy([1], count: 2) }
  }

  /// Whether loading throws, which must be an error of ours.
  func isRefused() throws -> Bool {
    do {
      try load()
      return false
    } catch let error as ModelFileError {
      #expect(!error.field.isEmpty)
    } catch let error as ModelError {
      #expect(!"\(error)".isEmpty)
    }
    return true
  }
}
