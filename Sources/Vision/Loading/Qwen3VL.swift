import ModelFiles
import Transformer

extension VisionFamily {
  /// Qwen3-VL (arXiv 2511.21631) and Qwen 3.5: images in their own proportions, whose patches are placed by rotations as well,
  /// and rows that the decoder places on a plane. Of Qwen3-VL the decoder's first layers are given more of them.
  static let qwen3VL = VisionFamily(
    projector: "qwen3vl_merger",
    modelTypes: ["qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe"],
    standards: Sizes(
      width: 1152, feedForwardWidth: 4304, layerCount: 27, headCount: 16, patchSize: 16),
    sizeKeys: SizeKeys(
      layerCount: "depth", headCount: "num_heads", positionCount: "num_position_embeddings"),
    visionPrefixes: ["model.visual.", "visual."], connectorPrefixes: ["model.visual.", "visual."],
    connectorNames: [
      "mm.0.weight": "merger.linear_fc1.weight", "mm.0.bias": "merger.linear_fc1.bias",
      "mm.2.weight": "merger.linear_fc2.weight", "mm.2.bias": "merger.linear_fc2.bias",
    ],
    shiftedNorms: [], placeholder: "<|image_pad|>", rowToken: "<|image_pad|>",
    rotaryBase: 10_000, rowsLieInGrid: true, names: .qwen3VL,
    readCheckpoint: { (config, processor, _) throws(ModelFileError) in
      guard let vision = try config.optionalObject("vision_config") else {
        throw config.error("vision_config", .missing)
      }
      for (place, key, known) in [
        (vision, "temporal_patch_size", 2), (processor, "temporal_patch_size", 2),
        (vision, "in_channels", 3),
      ] where try place.optionalInt(key) ?? known != known {
        throw place.unsupported(key)
      }
      if let base = try vision.optionalObject("rope_parameters")?.optionalDouble("rope_theta"),
        base != 10_000
      {
        throw vision.unsupported("rope_parameters")
      }
      let factor = try vision.optionalInt("spatial_merge_size") ?? 2
      // Qwen 3.5's class knows no such layers, and its files may have an empty list.
      let isDeep = try config.optionalString("model_type")?.hasPrefix("qwen3_vl") ?? false
      let deep = try vision.optionalInts("deepstack_visual_indexes") ?? (isDeep ? [8, 16, 24] : [])
      return (
        .merger(factor: factor, deepLayers: deep),
        ImagePreprocessing(
          area: try processor.area(), mean: ImagePreprocessing.clipMean,
          deviation: ImagePreprocessing.clipDeviation)
      )
    },
    readMetadata: { (metadata, _) throws(ModelError) in
      let factor = try metadata.optionalInt("vision.spatial_merge_size") ?? 2
      let deep = try metadata.optionalBools("vision.is_deepstack_layers") ?? []
      let unit = try metadata.int("vision.patch_size").multipliedReportingOverflow(by: factor)
      return (
        .merger(factor: factor, deepLayers: deep.indices.filter { deep[$0] }),
        ImagePreprocessing(
          area: .init(
            unit: unit.partialValue,
            // llama.cpp's converter leaves them out; what the published models' processors have.
            least: try metadata.optionalInt("vision.image_min_pixels") ?? 1 << 16,
            most: try metadata.optionalInt("vision.image_max_pixels") ?? 1 << 24))
      )
    },
    layout: { _, rows in
      // What opens and closes it stands in chat templates.
      ImageLayout(pieces: [.rows(0..<rows)], rowCount: rows, tileCount: 1)
    })
}

extension VisionNames {
  fileprivate static let qwen3VL = VisionNames(
    layers: "blocks.",
    modules: [
      "attn_qkv": "attn.qkv", "attn_out": "attn.proj", "ln1": "norm1", "ln2": "norm2",
      "ffn_up": "mlp.linear_fc1", "ffn_down": "mlp.linear_fc2",
    ],
    taps: "deepstack_merger_list.",
    tapModules: ["norm": "norm", "fc1": "linear_fc1", "fc2": "linear_fc2"],
    others: [
      "v.patch_embd.weight": "patch_embed.proj.weight",
      "v.patch_embd.bias": "patch_embed.proj.bias",
      "v.position_embd.weight": "pos_embed.weight", "v.post_ln.weight": "merger.norm.weight",
      "v.post_ln.bias": "merger.norm.bias",
    ])
}

extension CheckpointConfiguration {
  /// The sizes that an image processor of Qwen's gives images; what it leaves out is as in its class.
  fileprivate func area() throws(ModelFileError) -> ImagePreprocessing.Area {
    let size = try optionalObject("size")
    var (least, most) = (
      try size?.optionalInt("shortest_edge") ?? 56 * 56,
      try size?.optionalInt("longest_edge") ?? 28 * 28 * 1280
    )
    // Files of before, and what stands in both goes by these.
    least = try optionalInt("min_pixels") ?? least
    most = try optionalInt("max_pixels") ?? most
    let unit = try (optionalInt("patch_size") ?? 14).multipliedReportingOverflow(
      by: optionalInt("merge_size") ?? 2)
    return .init(unit: unit.partialValue, least: least, most: most)
  }
}

extension ImagePreprocessing {
  /// CLIP's statistics, the class's.
  fileprivate static let clipMean: [Float] = [0.48145466, 0.4578275, 0.40821073]
  fileprivate static let clipDeviation: [Float] = [0.26862954, 0.26130258, 0.27577711]
}
