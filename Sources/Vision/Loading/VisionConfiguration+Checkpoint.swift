import Foundation
import ModelFiles
import Transformer

extension VisionConfiguration {
  /// Reads `config.json` and the image processor's settings of a checkpoint's folder. What they leave out is as in
  /// transformers' classes.
  package init(checkpoint folder: String) throws {
    let file = try CheckpointConfiguration(path: folder + "/config.json")
    let type = try file.optionalString("model_type") ?? ""
    guard let family = VisionFamily.all.first(where: { $0.modelTypes.contains(type) }) else {
      throw file.unsupported("model_type")
    }
    // Gemma 3's smallest, which do not see, have none.
    guard let vision = try file.optionalObject("vision_config") else {
      throw file.error("vision_config", .missing)
    }
    let activation = try vision.optionalString("hidden_act") ?? "gelu_pytorch_tanh"
    guard activation == "gelu_pytorch_tanh" else {
      throw vision.unsupported("hidden_act")
    }
    self.family = family
    let (keys, standards) = (family.sizeKeys, family.standards)
    patchSize = try vision.optionalInt("patch_size") ?? standards.patchSize
    imageSize = try vision.optionalInt("image_size") ?? standards.imageSize
    width = try vision.optionalInt("hidden_size") ?? standards.width
    layerCount = try vision.optionalInt(keys.layerCount) ?? standards.layerCount
    headCount = try vision.optionalInt(keys.headCount) ?? standards.headCount
    feedForwardWidth = try vision.optionalInt("intermediate_size") ?? standards.feedForwardWidth
    if let key = keys.positionCount {
      // Patches of the square that positions are learned for.
      let count = try vision.optionalInt(key) ?? 2304
      guard let side = (1...Limit.side).first(where: { $0 * $0 == count }) else {
        throw vision.error(
          key, .invalid(value: "\(count)", expected: "the square of at most \(Limit.side)"))
      }
      imageSize = side.multipliedReportingOverflow(by: patchSize).partialValue
    }
    normEpsilon = Float(try vision.optionalDouble("layer_norm_eps") ?? 1e-6)
    let processor = try Self.processor(in: folder)
    (connector, preprocessing) = try family.readCheckpoint(
      file, processor, patchSize > 0 ? imageSize / patchSize : 0)
    try preprocessing.readCommon(processor)
    self = try validated()
  }

  /// The image processor's settings: a file of their own, or, as transformers writes them since 2025, a part of
  /// the processor's.
  private static func processor(
    in folder: String
  ) throws(ModelFileError) -> CheckpointConfiguration {
    let whole = folder + processorName
    if FileManager.default.fileExists(atPath: whole),
      let part = try CheckpointConfiguration(path: whole).optionalObject("image_processor")
    {
      return part
    }
    return try CheckpointConfiguration(path: folder + preprocessorName)
  }

  private static let processorName = "/processor_config.json"
  private static let preprocessorName = "/preprocessor_config.json"

  /// Whether a folder has such settings at all.
  static func hasProcessor(in folder: String) -> Bool {
    [processorName, preprocessorName].contains {
      FileManager.default.fileExists(atPath: folder + $0)
    }
  }
}

extension ImagePreprocessing {
  /// What the families' image processors have in common.
  fileprivate mutating func readCommon(_ settings: CheckpointConfiguration) throws(ModelFileError) {
    for step in ["do_resize", "do_rescale", "do_normalize", "do_convert_rgb"] {
      if try settings.optionalBool(step) == false { throw settings.unsupported(step) }
    }
    if let number = try settings.optionalInt("resample") {
      guard let known = ResamplingFilter(rawValue: number) else {
        throw settings.unsupported("resample")
      }
      filter = known
    }
    rescale = try settings.optionalDouble("rescale_factor") ?? rescale
    mean = try settings.floats("image_mean") ?? mean
    deviation = try settings.floats("image_std") ?? deviation
  }
}

extension CheckpointConfiguration {
  fileprivate func floats(_ key: String) throws(ModelFileError) -> [Float]? {
    try contains(key) ? doubles(key).map { Float($0) } : nil
  }
}
