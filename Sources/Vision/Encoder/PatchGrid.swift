/// The patches of a tile, line by line.
struct PatchGrid: Sendable, Equatable {
  var rows: Int
  var columns: Int

  var count: Int { rows * columns }

  /// What is left over at the right and below is not seen.
  init(of tile: ImageSize, patchSize: Int) {
    rows = tile.height / patchSize
    columns = tile.width / patchSize
  }
}
