import Transformer

extension VisionFamily {
  /// Gemma 3: one square, whose patches are averaged before a norm and a linear map.
  ///
  /// Its "pan and scan", which adds crops of long images, is off in transformers unless asked for, and not here.
  /// Among the rows of an image its decoders let each see all: whoever runs them must.
  static let gemma3 = VisionFamily(
    projector: "gemma3", modelTypes: ["gemma3"],
    standards: Sizes(width: 768, feedForwardWidth: 3072, headCount: 12, patchSize: 16),
    visionPrefixes: [
      "model.vision_tower.vision_model.", "vision_tower.vision_model.", "model.vision_tower.",
      "vision_tower.",
    ],
    connectorPrefixes: ["model.multi_modal_projector.", "multi_modal_projector."],
    connectorNames: [
      "mm.input_projection.weight": "mm_input_projection_weight",
      "mm.soft_emb_norm.weight": "mm_soft_emb_norm.weight",
    ],
    shiftedNorms: ["mm.soft_emb_norm.weight"], placeholder: "<start_of_image>",
    rowToken: "<image_soft_token>", rowsSeeAll: true,
    readCheckpoint: { (config, processor, side) throws(ModelError) in
      if try processor.bool("do_pan_and_scan") == true {
        throw .unsupported(key: "do_pan_and_scan", value: "true")
      }
      let rows = try config.int("mm_tokens_per_image") ?? 256
      guard let kernel = (1...max(1, side)).first(where: { side / $0 * (side / $0) == rows }),
        side.isMultiple(of: kernel)
      else {
        throw .invalidValue(
          key: "mm_tokens_per_image", value: "\(rows)",
          expected: "a square of \(side) patches a side")
      }
      let size = try processor.object("size")
      let (height, width) = (try size?.int("height") ?? 224, try size?.int("width") ?? 224)
      guard height == width else {
        throw .unsupported(key: "size", value: "\(height) x \(width)")
      }
      return (
        .averagePool(kernel: kernel),
        ImagePreprocessing(longestEdge: nil, tile: height, splits: false, filter: .bilinear)
      )
    },
    readMetadata: { (metadata, imageSize) throws(ModelError) in
      (
        // llama.cpp writes it where it is another.
        .averagePool(kernel: try metadata.optionalInt("vision.projector.scale_factor") ?? 4),
        ImagePreprocessing(longestEdge: nil, tile: imageSize, splits: false, filter: .bilinear)
      )
    },
    layout: { _, rows in
      ImageLayout(
        pieces: [
          .text("\n\n<start_of_image>"), .rows(0..<rows), .text("<end_of_image>\n\n"),
        ], rowCount: rows, tileCount: 1)
    })
}
