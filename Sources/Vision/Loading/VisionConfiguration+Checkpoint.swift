import ModelFiles
import Transformer

extension VisionConfiguration {
  /// The values of `model_type` in a `config.json` whose images are read.
  static let modelTypes = ["idefics3", "smolvlm"]

  /// Reads `config.json` and the image processor's settings of a checkpoint's folder. What they leave out is as in
  /// transformers' classes.
  package init(checkpoint folder: String) throws {
    let file = try Settings(path: folder + "/config.json")
    let type = try file.string("model_type") ?? ""
    guard Self.modelTypes.contains(type) else {
      throw ModelError.unsupported(key: "model_type", value: type)
    }
    guard let vision = try file.object("vision_config") else {
      throw ModelError.missingKey("vision_config")
    }
    let activation = try vision.string("hidden_act") ?? "gelu_pytorch_tanh"
    guard activation == "gelu_pytorch_tanh" else {
      throw ModelError.unsupported(key: "vision_config.hidden_act", value: activation)
    }
    imageSize = try vision.int("image_size") ?? 224
    patchSize = try vision.int("patch_size") ?? 32
    width = try vision.int("hidden_size") ?? 1152
    layerCount = try vision.int("num_hidden_layers") ?? 12
    headCount = try vision.int("num_attention_heads") ?? 16
    feedForwardWidth = try vision.int("intermediate_size") ?? 3072
    normEpsilon = Float(try vision.double("layer_norm_eps") ?? 1e-6)
    connector = .pixelShuffle(factor: try file.int("scale_factor") ?? 2)
    preprocessing = try ImagePreprocessing(idefics3: Self.processor(in: folder))
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
  init(idefics3 settings: Settings) throws(ModelError) {
    for step in ["do_resize", "do_rescale", "do_normalize", "do_convert_rgb"] {
      if try settings.bool(step) == false { throw .unsupported(key: step, value: "false") }
    }
    let number = try settings.int("resample") ?? ResamplingFilter.lanczos.rawValue
    guard let filter = ResamplingFilter(rawValue: number) else {
      throw .unsupported(key: "resample", value: "\(number)")
    }
    self.init(
      longestEdge: try Self.edge("size", in: settings) ?? 4 * 364,
      tile: try Self.edge("max_image_size", in: settings) ?? 364,
      splits: try settings.bool("do_image_splitting") ?? true, filter: filter,
      rescale: try settings.double("rescale_factor") ?? 1.0 / 255,
      mean: try settings.floats("image_mean") ?? [0.5, 0.5, 0.5],
      deviation: try settings.floats("image_std") ?? [0.5, 0.5, 0.5])
  }

  private static func edge(_ key: String, in settings: Settings) throws(ModelError) -> Int? {
    guard let size = try settings.object(key) else { return nil }
    guard let edge = try size.int("longest_edge") else {
      throw .missingKey("\(key).longest_edge")
    }
    return edge
  }
}
