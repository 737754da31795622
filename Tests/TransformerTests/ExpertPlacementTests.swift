import Foundation
import Kernels
import ModelFiles
import Testing
import Transformer

/// Whether experts go into memory or into a mapped file, by the weights' size.
@Suite struct ExpertPlacementTests {
  private func placement(
    _ tensors: any TensorSource, precision: WeightMatrix.Precision = .quantized, available: Int?
  ) -> ExpertPlacement {
    ExpertPlacement(
      tensors, options: DecoderOptions(precision: precision), availableBytes: available)
  }

  private func checkpoint(_ name: String) throws -> CheckpointTensors {
    try CheckpointFolder(path: Fixture.path("checkpoints/\(name)")).tensors
  }

  /// The numbers and their bytes, without the safetensors files' headers.
  private func dataBytes(_ name: String) throws -> Int {
    let folder = try Fixture.path("checkpoints/\(name)")
    var sum = 0
    for file in try FileManager.default.contentsOfDirectory(atPath: folder)
    where file.hasSuffix(".safetensors") {
      let bytes = try Data(contentsOf: URL(filePath: folder + "/" + file))
      sum += bytes.count - 8 - bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    return sum
  }

  @Test(arguments: [
    "mixtral", "olmoe", "qwen2-moe", "qwen3-moe", "granitemoe", "deepseek3", "gpt-oss",
    "gpt-oss-bf16",
  ])
  func aCheckpointLargerThanMemoryGoesIntoAFile(name: String) throws {
    let tensors = try checkpoint(name)
    let bytes = try dataBytes(name)
    #expect(tensors.weightSize.bytes == bytes && tensors.weightSize.hasExperts)
    let spilled = placement(tensors, available: bytes - 1)
    #expect(spilled.storage == .file(folder: "/var/tmp"))
    #expect(spilled.warnings.count == 1)
    let kept = placement(tensors, available: bytes)
    #expect(kept.storage == .memory && kept.warnings.isEmpty)
    #expect(placement(tensors, available: nil).storage == .memory)
    let floats = 4 * tensors.weightSize.elements
    #expect(floats >= bytes)
    #expect(placement(tensors, precision: .float, available: floats).storage == .memory)
    #expect(placement(tensors, precision: .float, available: floats - 1).storage != .memory)
  }

  @Test(arguments: ["llama", "llama3", "gemma3"]) func withoutExpertsAllStays(name: String) throws {
    #expect(try placement(checkpoint(name), available: 0).storage == .memory)
  }

  @Test func filesOfGGUF() throws {
    let mixture = try GGUFFile(path: Fixture.path("tiny-mixtral.gguf"))
    let bytes = mixture.weightSize.bytes
    #expect(bytes > 0 && mixture.weightSize.elements * 4 >= bytes)
    #expect(placement(mixture, available: bytes - 1).storage == .file(folder: "/var/tmp"))
    #expect(placement(mixture, available: bytes).storage == .memory)
    let dense = try GGUFFile(path: Fixture.path("tiny-llama3.gguf"))
    #expect(placement(dense, available: 0).storage == .memory)
  }
}
