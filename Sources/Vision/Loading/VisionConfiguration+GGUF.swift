import ModelFiles
import Transformer

extension VisionConfiguration {
  /// Reads the keys of an mmproj file, as llama.cpp's converter writes them.
  ///
  /// What the format does not say is as llama.cpp has it: Idefics' images are split, bytes become numbers of 0 to 1,
  /// and a GELU is the tanh approximation. Resampling is by transformers' filters.
  package init(file: GGUFFile) throws(ModelError) {
    guard let architecture = file.string("general.architecture") else {
      throw .missingKey("general.architecture")
    }
    guard architecture == "clip" else {
      throw .unsupported(key: "general.architecture", value: architecture)
    }
    let metadata = ArchitectureMetadata(architecture: "clip", metadata: file)
    var projector = try metadata.optionalString("projector_type")
    // Where the file has an encoder for sounds too.
    if projector == nil { projector = try metadata.optionalString("vision.projector_type") }
    guard let projector else { throw .missingKey("clip.projector_type") }
    guard let family = VisionFamily.all.first(where: { $0.projector == projector }) else {
      throw .unsupported(key: "clip.projector_type", value: projector)
    }
    if try metadata.optionalBool("use_silu") == true {
      throw .unsupported(key: "clip.use_silu", value: "true")
    }
    // Where a file has neither, llama.cpp takes another GELU (x * sigmoid(1.702 x)), which no family here has.
    guard try metadata.optionalBool("use_gelu") == true else {
      throw .unsupported(key: "clip.use_gelu", value: "false")
    }
    imageSize = try metadata.int("vision.image_size")
    patchSize = try metadata.int("vision.patch_size")
    width = try metadata.int("vision.embedding_length")
    layerCount = try metadata.int("vision.block_count")
    headCount = try metadata.int("vision.attention.head_count")
    feedForwardWidth = try metadata.int("vision.feed_forward_length")
    normEpsilon = Float(try metadata.double("vision.attention.layer_norm_epsilon"))
    self.family = family
    (connector, preprocessing) = try family.readMetadata(metadata, imageSize)
    preprocessing.mean = try Self.numbers("clip.vision.image_mean", in: file)
    preprocessing.deviation = try Self.numbers("clip.vision.image_std", in: file)
    self = try validated()
  }

  private static func numbers(
    _ key: String, in file: GGUFFile
  ) throws(ModelError) -> [Float] {
    guard file.contains(key) else { throw .missingKey(key) }
    guard let numbers = file.floats(key) else {
      throw .invalidValue(key: key, value: "of another type", expected: "an array of numbers")
    }
    return numbers
  }
}
