import ModelFiles
import Transformer

extension VisionConfiguration {
  /// Reads `config.json` and the image processor's settings of a checkpoint's folder. What they leave out is as in
  /// transformers' classes.
  package init(checkpoint folder: String) throws {
    let file = try Settings(path: folder + "/config.json")
    let type = try file.string("model_type") ?? ""
    guard let family = VisionFamily.all.first(where: { $0.modelTypes.contains(type) }) else {
      throw ModelError.unsupported(key: "model_type", value: type)
    }
    // Gemma 3's smallest, which do not see, have none.
    guard let vision = try file.object("vision_config") else {
      throw ModelError.missingKey("vision_config")
    }
    let activation = try vision.string("hidden_act") ?? "gelu_pytorch_tanh"
    guard activation == "gelu_pytorch_tanh" else {
      throw ModelError.unsupported(key: "vision_config.hidden_act", value: activation)
    }
    self.family = family
    imageSize = try vision.int("image_size") ?? family.standards.imageSize
    patchSize = try vision.int("patch_size") ?? family.standards.patchSize
    width = try vision.int("hidden_size") ?? family.standards.width
    layerCount = try vision.int("num_hidden_layers") ?? family.standards.layerCount
    headCount = try vision.int("num_attention_heads") ?? family.standards.headCount
    feedForwardWidth =
      try vision.int("intermediate_size") ?? family.standards.feedForwardWidth
    normEpsilon = Float(try vision.double("layer_norm_eps") ?? 1e-6)
    let processor = try Self.processor(in: folder)
    (connector, preprocessing) = try family.readCheckpoint(
      file, processor, patchSize > 0 ? imageSize / patchSize : 0)
    try preprocessing.readCommon(processor)
    self = try validated()
  }

  /// The image processor's settings: a file of their own, or, as transformers writes them since 2025, a part of
  /// the processor's.
  private static func processor(in folder: String) throws -> Settings {
    let whole = folder + "/processor_config.json"
    if Settings.exists(whole),
      let part = try Settings(path: whole).object("image_processor")
    {
      return part
    }
    return try Settings(path: folder + "/preprocessor_config.json")
  }
}

extension ImagePreprocessing {
  /// What the families' image processors have in common.
  fileprivate mutating func readCommon(_ settings: Settings) throws(ModelError) {
    for step in ["do_resize", "do_rescale", "do_normalize", "do_convert_rgb"] {
      if try settings.bool(step) == false { throw .unsupported(key: step, value: "false") }
    }
    if let number = try settings.int("resample") {
      guard let known = ResamplingFilter(rawValue: number) else {
        throw .unsupported(key: "resample", value: "\(number)")
      }
      filter = known
    }
    rescale = try settings.double("rescale_factor") ?? rescale
    mean = try settings.floats("image_mean") ?? mean
    deviation = try settings.floats("image_std") ?? deviation
  }
}
