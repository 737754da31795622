import Foundation
import Kernels
import ModelFiles
import Testing
import Transformer

/// Stretched contexts against Hugging Face transformers, and scaling that is wrong.
/// `CheckpointTests` has the folder with Llama 3.1's scaling as transformers writes it today.
@Suite struct RotaryScalingTests {
  private func expect(
    _ decoder: Decoder, equals name: String, within tolerance: Float
  ) throws {
    let golden = try Fixture.json(name, as: Fixture.Decoding.self)
    let expected = try #require(golden.logits)
    let largest = expected.joined().reduce(0) { max($0, abs($1)) }
    for chunk in [512, 5] {
      for (row, expectedRow) in zip(try decoder.allLogits(golden.tokens, chunk: chunk), expected) {
        #expect(row.largestDifference(to: expectedRow) < tolerance * largest)
      }
    }
    for (prompt, answer) in zip(golden.prompts, golden.greedy) {
      #expect(answer.count == 16)
      #expect(try decoder.greedy(prompt, count: answer.count) == answer)
    }
  }

  @Test func theTensorOfGGUFFiles() throws {
    let decoder = try Fixture.decoder(Fixture.path("tiny-llama3.gguf"))
    try expect(decoder, equals: "tiny-llama3", within: 1e-4)
  }

  /// Without it the same weights say something else, so that the test above means something.
  @Test func theTensorMatters() throws {
    let golden = try Fixture.json("tiny-llama3", as: Fixture.Decoding.self)
    let decoder = try load(nil)
    let logits = try decoder.allLogits(golden.tokens, chunk: 512)
    let last = try #require(golden.logits?.last)
    #expect(try #require(logits.last).largestDifference(to: last) > 0.1)
  }

  // MARK: - Folders

  private func folder(_ change: (inout [String: Any]) -> Void) throws -> CheckpointCopy {
    let copy = try CheckpointCopy(of: "llama3")
    var configuration = try #require(
      JSONSerialization.jsonObject(with: copy.read("config.json")) as? [String: Any])
    change(&configuration)
    try copy.write(JSONSerialization.data(withJSONObject: configuration), to: "config.json")
    return copy
  }

  /// `rope_theta` and `rope_scaling` beside each other, as the published folders have them.
  @Test func theFormOfBefore() throws {
    let copy = try folder {
      var scaling = $0.removeValue(forKey: "rope_parameters") as? [String: Any] ?? [:]
      $0["rope_theta"] = scaling.removeValue(forKey: "rope_theta")
      $0["rope_scaling"] = scaling
    }
    try expect(CheckpointTests.decoder(copy.path), equals: "tiny-llama3", within: 1e-4)
  }

  @Test func linearScaling() throws {
    let copy = try folder {
      $0["rope_theta"] = 10_000
      $0["rope_parameters"] = nil
      $0["rope_scaling"] = ["type": "linear", "factor": 4]
    }
    try expect(CheckpointTests.decoder(copy.path), equals: "tiny-llama-linear", within: 1e-4)
  }

  @Test(arguments: [
    ("factor", 0.0, "llama.rope.scaling.factor"), ("factor", -8, "llama.rope.scaling.factor"),
    ("factor", 1e300, "llama.rope.scaling.factor"),
    ("low_freq_factor", 0, "llama.rope.scaling.low_freq_factor"),
    ("low_freq_factor", 4, "llama.rope.scaling.high_freq_factor"),
    ("high_freq_factor", 0.5, "llama.rope.scaling.high_freq_factor"),
    ("original_max_position_embeddings", 0, "llama.rope.scaling.original_context_length"),
    ("original_max_position_embeddings", -64, "llama.rope.scaling.original_context_length"),
  ])
  func valuesThatNoModelHas(key: String, value: Double, field: String) throws {
    let copy = try folder {
      var scaling = $0["rope_parameters"] as? [String: Any] ?? [:]
      scaling[key] = key.hasPrefix("original") ? Int(value) : value
      $0["rope_parameters"] = scaling
    }
    let error = #expect(throws: ModelError.self) { try copy.load() }
    guard case .invalidValue(field, _, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test(arguments: [
    "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings",
  ])
  func missingValuesAreNamed(key: String) throws {
    for value in [nil, "eight"] as [Any?] {
      let copy = try folder {
        var scaling = $0["rope_parameters"] as? [String: Any] ?? [:]
        scaling[key] = value
        $0["rope_parameters"] = scaling
      }
      let error = #expect(throws: ModelFileError.self) { try copy.load() }
      #expect(error?.field == "rope_parameters.\(key)")
    }
  }

  // MARK: - Tensors

  /// A file whose list of factors is another, or none.
  private struct OtherFactors: TensorSource {
    let file: GGUFFile
    let view: TensorView?
    static let name = "rope_freqs.weight"
    var path: String { file.path }
    var tensorNames: [String] { file.tensorNames }
    func tensor(named name: String) throws(ModelFileError) -> TensorView? {
      name == Self.name ? view : try file.tensor(named: name)
    }
    func dropPages() {}
  }

  private func load(
    _ factors: [Float]?, metadata: (GGUFFile) -> any ModelMetadata = { $0 }
  ) throws -> Decoder {
    let file = try GGUFFile(path: Fixture.path("tiny-llama3.gguf"))
    let view = try factors.map { factors in
      let map = try MemoryMap(path: file.path, byteCount: factors.count * 4) { target in
        factors.withUnsafeBytes { target.copyMemory(from: $0) }
      }
      return TensorView(
        info: TensorInfo(
          name: OtherFactors.name, shape: [factors.count], elementType: .f32, offset: 0,
          byteCount: factors.count * 4),
        map: map)
    }
    return try Decoder(
      architecture: "llama", metadata: metadata(file),
      tensors: OtherFactors(file: file, view: view), pool: #require(Fixture.pool),
      options: DecoderOptions(precision: .float))
  }

  @Test(arguments: [7, 9, 16]) func listsOfAnotherLengthAreRefused(count: Int) throws {
    #expect(
      throws: ModelError.wrongShape(tensor: OtherFactors.name, shape: [count], expected: [8])
    ) { try load(Array(repeating: 1, count: count)) }
  }

  @Test(arguments: [0, -1, .infinity, .nan, 1e9] as [Float])
  func factorsThatNoModelHas(value: Float) throws {
    let error = #expect(throws: ModelError.self) { try load([1, 1, 1, value, 1, 1, 1, 1]) }
    guard case .unreadableTensor(OtherFactors.name, let reason)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains("element 3 is \(value)"))
  }

  /// The list beside YaRN or Llama 3.1's scaling in the metadata would count twice.
  @Test func aListBesideOtherScalingIsRefused() throws {
    let changes: [String: GGUFValue?] = [
      "llama.rope.scaling.type": .string("llama3"), "llama.rope.scaling.factor": .float(8),
      "llama.rope.scaling.low_freq_factor": .float(1),
      "llama.rope.scaling.high_freq_factor": .float(4),
      "llama.rope.scaling.original_context_length": .unsigned(64),
    ]
    let error = #expect(throws: ModelError.self) {
      try load(Array(repeating: 1, count: 8)) {
        HostileModelTests.ChangedMetadata(file: $0, changes: changes)
      }
    }
    guard case .unsupported(OtherFactors.name, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }
}
