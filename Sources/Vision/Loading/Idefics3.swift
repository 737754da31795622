import ModelFiles
import Transformer

extension VisionFamily {
  /// Idefics 3 and SmolVLM: large images are split into tiles, and squares of patches joined.
  static let idefics3 = VisionFamily(
    projector: "idefics3", modelTypes: ["idefics3", "smolvlm"],
    standards: Sizes(width: 1152, feedForwardWidth: 3072, headCount: 16, patchSize: 32),
    visionPrefixes: ["model.vision_model.", "vision_model."],
    connectorPrefixes: ["model.connector.", "connector."],
    connectorNames: ["mm.model.fc.weight": "modality_projection.proj.weight"],
    shiftedNorms: [], placeholder: "<image>", rowToken: "<image>",
    readCheckpoint: { (config, processor, _) throws(ModelFileError) in
      (
        .pixelShuffle(factor: try config.optionalInt("scale_factor") ?? 2),
        ImagePreprocessing(
          longestEdge: try processor.edge("size") ?? 4 * 364,
          tile: try processor.edge("max_image_size") ?? 364,
          splits: try processor.optionalBool("do_image_splitting") ?? true)
      )
    },
    readMetadata: { (metadata, imageSize) throws(ModelError) in
      // Files from before llama.cpp wrote the longest edge lack it: all checkpoints that they are of have four tiles
      // along it. What no tile's side can be is refused by others.
      let longest =
        try metadata.optionalInt("vision.preproc_image_size")
        ?? 4 * min(max(imageSize, 0), VisionConfiguration.Limit.imageSize)
      return (
        .pixelShuffle(factor: try metadata.optionalInt("vision.projector.scale_factor") ?? 1),
        ImagePreprocessing(longestEdge: longest, tile: imageSize, splits: true)
      )
    },
    layout: { ImageLayout(idefics3: $0, rows: $1) })
}

extension CheckpointConfiguration {
  /// The longest edge of a size.
  fileprivate func edge(_ key: String) throws(ModelFileError) -> Int? {
    guard let size = try optionalObject(key) else { return nil }
    return try size.int("longest_edge")
  }
}

extension ImageLayout {
  /// As transformers' `Idefics3Processor` writes it: each tile behind the name of its row and column, then the
  /// whole image, with a break behind each row of tiles and one more before the whole.
  ///
  /// - Parameter rows: Of embeddings, for a tile.
  init(idefics3 grid: TileGrid, rows: Int) {
    let mark = "<fake_token_around_image>"
    var pieces: [Piece] = []
    var next = 0
    func addTile(_ text: String) {
      pieces.append(.text(text))
      pieces.append(.rows(next..<next + rows))
      next += rows
    }
    if !grid.isSingle {
      for row in 1...grid.rows {
        for column in 1...grid.columns {
          let lineBreak = row > 1 && column == 1 ? "\n" : ""
          addTile("\(lineBreak)\(mark)<row_\(row)_col_\(column)>")
        }
      }
    }
    addTile((grid.isSingle ? "" : "\n\n") + mark + "<global-img>")
    pieces.append(.text(mark))
    self.init(pieces: pieces, rowCount: next, tileCount: grid.tileCount)
  }
}
