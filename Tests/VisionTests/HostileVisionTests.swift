import Foundation
import Kernels
import ModelFiles
import Testing
import Transformer
import Vision

/// Files that lie about themselves: a typed error, and no crash.
struct HostileVisionTests {
  /// Changes of the checkpoint's settings that leave valid JSON.
  @Test(arguments: [
    ("config.json", #""model_type": "idefics3""#, #""model_type": "idefics9""#),
    ("config.json", #""hidden_act": "gelu_pytorch_tanh""#, #""hidden_act": "relu""#),
    ("config.json", #""hidden_size": 64"#, #""hidden_size": 128"#),
    ("config.json", #""hidden_size": 64"#, #""hidden_size": -64"#),
    ("config.json", #""hidden_size": 64"#, #""hidden_size": "64""#),
    ("config.json", #""image_size": 32"#, #""image_size": 64"#),
    ("config.json", #""image_size": 32"#, #""image_size": 1000000000000"#),
    ("config.json", #""patch_size": 8"#, #""patch_size": 0"#),
    ("config.json", #""patch_size": 8"#, #""patch_size": 4"#),
    ("config.json", #""scale_factor": 2"#, #""scale_factor": 3"#),
    ("config.json", #""scale_factor": 2"#, #""scale_factor": 4"#),
    ("config.json", #""intermediate_size": 96"#, #""intermediate_size": 104"#),
    ("config.json", #""layer_norm_eps": 1e-06"#, #""layer_norm_eps": -1"#),
    ("config.json", #""vision_config": {"#, #""other_config": {"#),
    ("processor_config.json", #""resample": 1"#, #""resample": 7"#),
    ("processor_config.json", #""do_resize": true"#, #""do_resize": false"#),
    ("processor_config.json", #""longest_edge": 64"#, #""longest_edge": 100000"#),
    ("processor_config.json", #""longest_edge": 64"#, #""shortest_edge": 64"#),
    ("processor_config.json", #""longest_edge": 32"#, #""longest_edge": 16"#),
    ("processor_config.json", #""rescale_factor": 0.0"#, #""rescale_factor": -0.0"#),
    ("processor_config.json", #""image_std": ["#, #""image_std": [0,"#),
  ]) func changedSettingsAreRefused(_ file: String, _ old: String, _ new: String) throws {
    try refuses(file, old, new, of: "tiny-smolvlm")
  }

  @Test(arguments: [
    ("config.json", #""temporal_patch_size": 2"#, #""temporal_patch_size": 3"#),
    ("config.json", #""in_channels": 3"#, #""in_channels": 4"#),
    ("config.json", #""spatial_merge_size": 2"#, #""spatial_merge_size": 4"#),
    ("config.json", #""spatial_merge_size": 2"#, #""spatial_merge_size": 4611686018427387904"#),
    ("config.json", #""num_position_embeddings": 64"#, #""num_position_embeddings": 81"#),
    ("config.json", #""num_position_embeddings": 64"#, #""num_position_embeddings": -1"#),
    ("config.json", #""num_position_embeddings": 64"#, #""num_position_embeddings": 1e300"#),
    ("config.json", #""patch_size": 4"#, #""patch_size": 4611686018427387904"#),
    ("config.json", #""num_heads": 2"#, #""num_heads": 16"#),
    ("config.json", #""depth": 4"#, #""depth": 2"#),
    ("config.json", #""deepstack_visual_indexes": ["#, #""deepstack_visual_indexes": [2,"#),
    ("config.json", #""deepstack_visual_indexes": ["#, #""deepstack_visual_indexes": [-1,"#),
    ("config.json", #""rope_theta": 10000.0"#, #""rope_theta": 5000.0"#),
    ("preprocessor_config.json", #""longest_edge": 4096"#, #""longest_edge": 0"#),
    ("preprocessor_config.json", #""longest_edge": 4096"#, #""longest_edge": 400000000000"#),
    ("preprocessor_config.json", #""shortest_edge": 256"#, #""shortest_edge": 8192"#),
    ("preprocessor_config.json", #""merge_size": 2"#, #""merge_size": 3"#),
    ("preprocessor_config.json", #""patch_size": 4"#, #""patch_size": 9223372036854775807"#),
    ("preprocessor_config.json", #""temporal_patch_size": 2"#, #""temporal_patch_size": 1"#),
  ]) func changedSettingsOfPlanesAreRefused(
    _ file: String, _ old: String, _ new: String
  ) throws {
    try refuses(file, old, new, of: "tiny-qwen3vl")
  }

  private func refuses(
    _ file: String, _ old: String, _ new: String, of model: String
  ) throws {
    let folder = try copy(model)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/" + file
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let changed = text.replacingOccurrences(of: old, with: new)
    try #require(changed != text)
    try changed.write(toFile: path, atomically: true, encoding: .utf8)
    let pool = try #require(Fixture.pool)
    // What one file says by itself, or what no file of its kind may ask for.
    #expect {
      try ImageEncoder(checkpoint: folder, pool: pool)
    } throws: {
      $0 is ModelFileError || $0 is ModelError
    }
  }

  @Test(arguments: ["config.json", "processor_config.json", "model.safetensors"])
  func missingAndEmptyFilesAreRefused(_ file: String) throws {
    let folder = try copy()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let pool = try #require(Fixture.pool)
    for bytes in [Data(), Data("[]".utf8), Data("{".utf8)] {
      try bytes.write(to: URL(fileURLWithPath: folder + "/" + file))
      #expect(throws: ModelFileError.self) { try ImageEncoder(checkpoint: folder, pool: pool) }
    }
    try FileManager.default.removeItem(atPath: folder + "/" + file)
    #expect(throws: ModelFileError.self) { try ImageEncoder(checkpoint: folder, pool: pool) }
  }

  /// Settings that are older: a file of the image processor's own.
  @Test func olderFoldersAreReadToo() throws {
    let folder = try copy()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let known = try VisionConfiguration(checkpoint: folder)
    let whole = URL(fileURLWithPath: folder + "/processor_config.json")
    let settings = try #require(
      JSONSerialization.jsonObject(with: Data(contentsOf: whole)) as? [String: Any])
    let part = try #require(settings["image_processor"])
    try JSONSerialization.data(withJSONObject: part).write(
      to: URL(fileURLWithPath: folder + "/preprocessor_config.json"))
    try FileManager.default.removeItem(at: whole)
    #expect(try VisionConfiguration(checkpoint: folder) == known)
  }

  /// A configuration that a model of text was left with.
  @Test func withoutAProcessorNothingIsSeen() throws {
    let folder = try copy()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    #expect(ImageEncoder.reads(checkpoint: folder))
    try FileManager.default.removeItem(atPath: folder + "/processor_config.json")
    #expect(!ImageEncoder.reads(checkpoint: folder))
  }

  /// Names without what stands before them today.
  @Test(arguments: [
    ("tiny-smolvlm", "model.vision_model.", "vision_model."),
    ("tiny-smolvlm", "model.connector.", "connector."),
    ("tiny-gemma3", "vision_tower.", "vision_tower.vision_model."),
    ("tiny-gemma3", "vision_tower.", "model.vision_tower."),
    ("tiny-gemma3", "multi_modal_projector.", "model.multi_modal_projector."),
    ("tiny-qwen3vl", "model.visual.", "visual."),
  ]) func otherNamesAreReadToo(_ model: String, _ known: String, _ other: String) throws {
    let folder = try copy(model)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let pool = try #require(Fixture.pool)
    let image = try Fixture.bytes("images/rgb.png")
    let rows = try ImageEncoder(checkpoint: folder, pool: pool).encode(image).rows
    // A header's length in eight bytes, and the header, whose offsets count from its end.
    let url = URL(fileURLWithPath: folder + "/model.safetensors")
    let bytes = try Data(contentsOf: url)
    let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = String(decoding: bytes[8..<8 + length], as: UTF8.self)
    let renamed = header.replacingOccurrences(of: "\"" + known, with: "\"" + other)
    try #require(renamed != header)
    var written = Data()
    withUnsafeBytes(of: UInt64(renamed.utf8.count).littleEndian) { written.append(contentsOf: $0) }
    written.append(Data(renamed.utf8))
    written.append(bytes[(8 + length)...])
    try written.write(to: url)
    #expect(try ImageEncoder(checkpoint: folder, pool: pool).encode(image).rows == rows)
  }

  /// Every byte of an mmproj file's header changed: an encoder, which then encodes, or a typed error.
  @Test(arguments: ["tiny-smolvlm", "tiny-gemma3", "tiny-qwen3vl"]) func changedHeadersDoNoHarm(
    _ model: String
  ) throws {
    let pool = try #require(Fixture.pool)
    let bytes = try Fixture.bytes(model + "/mmproj.gguf")
    let image = try Fixture.bytes("images/rgb.png")
    let path = NSTemporaryDirectory() + "mmproj-\(UUID().uuidString).gguf"
    defer { try? FileManager.default.removeItem(atPath: path) }
    var loaded = 0
    // Metadata and tensors' descriptions take some 3.5 KB, and a little more of the last one.
    let header = 3600
    for place in stride(from: 0, to: header, by: 3) {
      var changed = bytes
      changed[place] ^= place.isMultiple(of: 2) ? 0x01 : 0x90
      try Data(changed).write(to: URL(fileURLWithPath: path))
      do {
        let encoder = try ImageEncoder(file: GGUFFile(path: path), pool: pool)
        loaded += 1
        let encoded = try encoder.encode(image)
        #expect(encoded.rows.count == encoded.layout.rowCount * encoder.width)
      } catch is ModelError {
      } catch is ModelFileError {
      }
    }
    #expect(loaded > 0 && loaded < header / 3)
  }

  /// The same of a model whose rows lie on a plane: it is refused, or reads an image.
  @Test func changedHeadersOfTheTextPartDoNoHarm() throws {
    let pool = try #require(Fixture.pool)
    let encoder = try ImageEncoder(
      file: GGUFFile(path: Fixture.path("tiny-qwen3vl/mmproj.gguf")), pool: pool)
    let image = try encoder.encode(Fixture.bytes("images/half.jpeg"))
    let rows = try FloatBuffer(rows: image.layout.rowCount, width: image.width)
    image.rows.withUnsafeBufferPointer {
      if let base = $0.baseAddress { rows.pointer.update(from: base, count: rows.count) }
    }
    let span = EmbeddingSpan(
      position: 1, range: 0..<rows.rows, rows: rows, identity: "half", grid: image.layout.grid)
    let bytes = try Fixture.bytes("tiny-qwen3vl/model.gguf")
    let path = NSTemporaryDirectory() + "text-\(UUID().uuidString).gguf"
    defer { try? FileManager.default.removeItem(atPath: path) }
    var read = 0
    // What describes the model stands before its vocabulary.
    for place in 0..<1200 {
      var changed = bytes
      changed[place] ^= place.isMultiple(of: 2) ? 0x01 : 0x90
      try Data(changed).write(to: URL(fileURLWithPath: path))
      do {
        let decoder = try Decoder(file: GGUFFile(path: path), pool: pool)
        let tokens = [Int32](repeating: 5, count: rows.rows + 3)
        try decoder.forward([
          BatchSegment(cache: decoder.makeCache(), tokens: tokens[...], embeddings: [span])
        ])
        read += 1
      } catch is ModelError {
      } catch is ModelFileError {
      }
    }
    #expect(read > 0 && read < 1200)
  }

  /// As early files of llama.cpp's have them: what goes up and down the other way round.
  @Test(arguments: ["tiny-smolvlm", "tiny-gemma3"]) func swappedNamesAreReadToo(
    _ model: String
  ) throws {
    let pool = try #require(Fixture.pool)
    let image = try Fixture.bytes("images/rgb.png")
    let bytes = try Fixture.bytes(model + "/mmproj.gguf")
    let rows = try encoder(bytes, pool).encode(image).rows
    var swapped = bytes
    for part in (0..<2).flatMap({ ["\($0).%.weight", "\($0).%.bias"] }) {
      func name(_ module: String) -> String {
        "v.blk." + part.replacingOccurrences(of: "%", with: module)
      }
      swapped = try renamed(swapped, name("ffn_up"), name("ffn_xx"))
      swapped = try renamed(swapped, name("ffn_down"), name("ffn_up"))
      swapped = try renamed(swapped, name("ffn_xx"), name("ffn_down"))
    }
    #expect(swapped != bytes)
    #expect(try encoder(swapped, pool).encode(image).rows == rows)
  }

  /// Files from before llama.cpp's converter wrote the longest edge: as of all checkpoints of the family.
  @Test func filesWithoutALongestEdgeSplitToo() throws {
    let pool = try #require(Fixture.pool)
    let bytes = try Fixture.bytes("tiny-smolvlm/mmproj.gguf")
    let older = try renamed(
      bytes, "clip.vision.preproc_image_size", "clip.vision.preproc_image_xxxx")
    // The fixture's has two tiles along it.
    #expect(try encoder(bytes, pool).configuration.preprocessing.longestEdge == 64)
    let preprocessing = try encoder(older, pool).configuration.preprocessing
    #expect(preprocessing.longestEdge == 128 && preprocessing.splits)
    let layout = try encoder(older, pool).layout(of: Fixture.bytes("images/scene-64x48.png"))
    #expect(layout.tileCount == 4 * 3 + 1)
  }

  /// What llama.cpp computes with another activation.
  @Test func otherActivationsAreRefused() throws {
    let pool = try #require(Fixture.pool)
    let bytes = try Fixture.bytes("tiny-smolvlm/mmproj.gguf")
    for (name, error) in [
      ("clip.use_gelx", ModelError.unsupported(key: "clip.use_gelu", value: "false")),
      ("clip.use_silu", ModelError.unsupported(key: "clip.use_silu", value: "true")),
    ] {
      #expect(throws: error) { try encoder(renamed(bytes, "clip.use_gelu", name), pool) }
    }
  }

  @Test func otherGGUFFilesAreRefused() throws {
    let pool = try #require(Fixture.pool)
    let text = try GGUFFile(path: Fixture.path("tiny-smolvlm/model.gguf"))
    #expect(throws: ModelError.unsupported(key: "general.architecture", value: "llama")) {
      try ImageEncoder(file: text, pool: pool)
    }
  }

  /// A GGUF file in which a string, of a key or a tensor's name, is another. The header's length
  /// is the caller's affair.
  private func renamed(_ bytes: [UInt8], _ old: String, _ new: String) throws -> [UInt8] {
    func string(_ text: String) -> Data {
      withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { Data($0) } + Data(text.utf8)
    }
    var data = Data(bytes)
    data.replaceSubrange(try #require(data.range(of: string(old))), with: string(new))
    return [UInt8](data)
  }

  private func encoder(_ bytes: [UInt8], _ pool: ComputePool) throws -> ImageEncoder {
    let path = NSTemporaryDirectory() + "mmproj-\(UUID().uuidString).gguf"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return try ImageEncoder(file: GGUFFile(path: path), pool: pool)
  }

  private func copy(_ model: String = "tiny-smolvlm") throws -> String {
    let folder = NSTemporaryDirectory() + "vision-\(UUID().uuidString)"
    try FileManager.default.copyItem(atPath: Fixture.path(model), toPath: folder)
    return folder
  }
}
