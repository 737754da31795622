import Foundation
import Kernels
import ModelFiles
import Transformer

/// Images to what a language model reads of them.
///
/// An image goes four steps: its file is decoded (``RGBImage``), the pixels become square tiles
/// (``ImagePreprocessing``), a vision transformer reads each tile, and a connector makes rows of it as wide as the
/// language model's embeddings. Between the rows a prompt has control tokens (``ImageLayout``).
///
/// ```swift
/// let encoder = try ImageEncoder(file: GGUFFile(path: "mmproj.gguf"), pool: pool)
/// let layout = try encoder.layout(of: bytes)  // costs next to nothing
/// let image = try encoder.encode(bytes)       // layout.tileCount passes through the transformer
/// ```
///
/// One image is encoded at a time. The threads are given back after each block of a layer, so that decoders
/// which share them go on between. The caller's thread computes too: it must not be one of Swift's own.
package final class ImageEncoder: Sendable {
  package let configuration: VisionConfiguration
  /// Numbers of a row: the language model's `imageRowWidth`.
  package let width: Int
  private let pool: ComputePool
  private let limits: ImageLimits
  private let body: VisionBody
  private let lock = NSLock()

  /// What chat templates have for an image, in whose place its pieces go.
  package var placeholder: String { configuration.family.placeholder }

  /// The token that the model's tokenizer has for a row of an image.
  package var rowToken: String { configuration.family.rowToken }

  /// Whether in the decoder each row of an image sees all of them, and not those before it alone.
  package var rowsSeeAll: Bool { configuration.family.rowsSeeAll }

  /// Whether the decoder is to place an image's rows by their lines and columns.
  package var rowsLieInGrid: Bool { configuration.family.rowsLieInGrid }

  /// - Parameters:
  ///   - precision: As a decoder's: floats for comparisons, int8 for speed.
  ///   - pairsPerPass: How often a patch looks at another in one pass at most: what a tile of 1,024 patches takes,
  ///     some 60 ms on two cores. Tiles of more go through a layer in slices.
  package init(
    configuration: VisionConfiguration, tensors: any TensorSource, pool: ComputePool,
    precision: WeightMatrix.Precision = .quantized, limits: ImageLimits = ImageLimits(),
    pairsPerPass: Int = 1 << 20
  ) throws {
    var configuration = configuration
    configuration.preprocessing.area?.limit(rows: limits.rows)
    self.configuration = configuration
    self.pool = pool
    self.limits = limits
    body = try VisionBody(
      configuration, WeightLoader(source: tensors, precision: precision, pool: pool),
      workers: pool.threadCount, pairsPerPass: pairsPerPass)
    width = body.rowWidth
    tensors.dropPages()
  }

  /// Loads llama.cpp's mmproj file of a model.
  package convenience init(
    file: GGUFFile, pool: ComputePool, precision: WeightMatrix.Precision = .quantized,
    limits: ImageLimits = ImageLimits()
  ) throws {
    try self.init(
      configuration: VisionConfiguration(file: file), tensors: file, pool: pool,
      precision: precision, limits: limits)
  }

  /// Loads the part that sees of a checkpoint's folder.
  package convenience init(
    checkpoint folder: String, pool: ComputePool, precision: WeightMatrix.Precision = .quantized,
    limits: ImageLimits = ImageLimits()
  ) throws {
    let configuration = try VisionConfiguration(checkpoint: folder)
    try self.init(
      configuration: configuration,
      tensors: VisionCheckpoint(folder: folder, configuration), pool: pool,
      precision: precision, limits: limits)
  }

  /// Whether a checkpoint is of a model whose images are read, and has what says how. What was trained on as a model of text
  /// may have kept the configuration alone.
  package static func reads(checkpoint folder: String) -> Bool {
    guard let file = try? CheckpointConfiguration(path: folder + "/config.json"),
      let type = try? file.optionalString("model_type"),
      (try? file.optionalObject("vision_config")) != nil,
      VisionConfiguration.hasProcessor(in: folder)
    else { return false }
    return VisionFamily.all.contains { $0.modelTypes.contains(type) }
  }

  /// Bytes that the layers' and the connector's matrices take.
  package var byteCount: Int { body.byteCount }

  /// Rows of an image that is seen at one glance, where it would become as many as its size asks for: those of
  /// 512 x 512 pixels in squares of 32.
  private static let glanceRows = 256

  /// How an image becomes tiles.
  /// - Parameter asWhole: Not split, whatever its size: one pass, and little to see of a large image's details.
  private func preprocessing(asWhole: Bool) -> ImagePreprocessing {
    var preprocessing = configuration.preprocessing
    if asWhole {
      preprocessing.splits = false
      preprocessing.area?.limit(rows: Self.glanceRows)
    }
    return preprocessing
  }

  /// What will stand for an image in a prompt, by its file's header.
  package func layout(
    of image: [UInt8], asWhole: Bool = false
  ) throws(ImageError) -> ImageLayout {
    try layout(of: try ImageHeader(image, limits: limits).size, asWhole: asWhole)
  }

  /// What will stand for an image of this size in a prompt.
  package func layout(
    of size: ImageSize, asWhole: Bool = false
  ) throws(ImageError) -> ImageLayout {
    let sizes = try preprocessing(asWhole: asWhole).sizes(of: size)
    let grid = configuration.rowGrid(
      of: PatchGrid(of: sizes.tile, patchSize: configuration.patchSize))
    var layout = configuration.family.layout(sizes.grid, grid.lines * grid.columns)
    if configuration.family.rowsLieInGrid { layout.grid = grid }
    return layout
  }

  /// - Parameters:
  ///   - asWhole: As for its layout.
  ///   - isCancelled: Asked between passes; an image whose answer nobody waits for any more ends with
  ///     `CancellationError`.
  package func encode(
    _ image: [UInt8], asWhole: Bool = false, isCancelled: () -> Bool = { false }
  ) throws -> EncodedImage {
    // What is no image at all waits for no turn.
    let layout = try layout(of: image, asWhole: asWhole)
    lock.lock()
    defer { lock.unlock() }
    // In here, so that the pixels of one image at most are in memory.
    let tiles = try preprocessing(asWhole: asWhole).tiles(
      of: try RGBImage(decoding: image, limits: limits))
    let rowsPerTile = layout.rowCount / layout.tileCount
    var rows = [Float](repeating: 0, count: layout.rowCount * width)
    try rows.withUnsafeMutableBufferPointer { rows in
      guard let base = rows.baseAddress else { return }
      for (index, tile) in tiles.enumerated() {
        try body.run(tile, into: base + index * rowsPerTile * width) { pass in
          if isCancelled() { throw CancellationError() }
          pool.run(pass)
        }
      }
    }
    return EncodedImage(layout: layout, width: width, rows: rows)
  }
}
