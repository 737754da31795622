import ModelFiles
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
    readCheckpoint: { (config, processor, side) throws(ModelFileError) in
      if try processor.optionalBool("do_pan_and_scan") == true {
        throw processor.unsupported("do_pan_and_scan")
      }
      let rows = try config.optionalInt("mm_tokens_per_image") ?? 256
      guard let kernel = (1...max(1, side)).first(where: { side / $0 * (side / $0) == rows }),
        side.isMultiple(of: kernel)
      else {
        throw config.error(
          "mm_tokens_per_image",
          .invalid(value: "\(rows)", expected: "a square of \(side) patches a side"))
      }
      let size = try processor.optionalObject("size")
      let height = try size?.optionalInt("height") ?? 224
      guard try size?.optionalInt("width") ?? 224 == height else {
        throw processor.unsupported("size")
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
