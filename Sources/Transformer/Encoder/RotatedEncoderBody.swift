import Kernels

/// An encoder's layers in rotated int8, for instruction sets that have the kernels and models whose sizes fit.
final class RotatedEncoderBody: EncoderBody, @unchecked Sendable {
  // Unchecked: one pass at a time, and its barriers order the workers.

  /// The sizes of a model that fits.
  struct Shape {
    let width: RotatedShape
    let inner: RotatedShape

    /// Nil where the model's sizes don't fit, or the machine lacks the instructions.
    init?(_ configuration: EncoderConfiguration) {
      guard
        FullAttention.isAvailable(
          headDim: configuration.headDim, maximumPositions: configuration.maximumPositions),
        let width = RotatedShape(width: configuration.width),
        let inner = RotatedShape(width: configuration.feedForwardWidth)
      else { return nil }
      self.width = width
      self.inner = inner
    }
  }

  /// Rows a worker from which on each takes its own rows through whole layers. With fewer, workers
  /// share the outputs of every product instead, so that each reads only its part of the weights.
  static let rowsAWorker = 5
  /// Rows that go through a layer at once, so that what they become on the way stays in the second-level
  /// cache. Even, as kernels store values by twos.
  static let panel = 64

  let configuration: EncoderConfiguration
  let embeddings: EncoderEmbeddings
  let layers: [RotatedEncoderLayer]
  let attention: FullAttention
  let batch: EncoderBatch

  /// The residual stream. // (rows, width)
  let hidden: FloatBuffer
  /// The same for workers other than the first where all take the same rows. // (workers x fewRows, width)
  let copies: FloatBuffer
  /// The result of attention takes the queries' place. // (rows, width)
  let queries: FloatBuffer
  /// The inputs of products, each worker's in its own part. // (workers x ownRows, width)
  let normed: RotatedActivations
  /// What a panel's rows become, each worker's in its own part. // (workers x panel, ...)
  let keysValues: FloatBuffer  // 2 x width
  let sum: FloatBuffer  // width, what a norm takes
  let inner: FloatBuffer  // inner width
  let activated: RotatedActivations
  /// Rows in each worker's part of `normed`.
  let ownRows: Int
  /// Rows that workers at most share the outputs of.
  let fewRows: Int

  init(
    configuration: EncoderConfiguration, shape: Shape, prefix: String,
    embeddings: EncoderEmbeddings, loader: WeightLoader, workers: Int, maximumRows: Int
  ) throws {
    self.configuration = configuration
    self.embeddings = embeddings
    let sizes = RotatedEncoderLayer.byteCounts(configuration, shape)
    let arena = try WeightArena(
      sizes: Array(repeating: sizes, count: configuration.layerCount).flatMap { $0 })
    var layers: [RotatedEncoderLayer] = []
    for index in 0..<configuration.layerCount {
      layers.append(
        try RotatedEncoderLayer(
          prefix: prefix + "encoder.layer.\(index).", configuration, shape, loader, arena))
    }
    self.layers = layers
    batch = EncoderBatch(
      maximumRows: maximumRows, roomUnit: FullAttention.room(positions: 1))
    attention = try FullAttention(
      heads: configuration.headCount, headDim: configuration.headDim,
      scale: configuration.attentionScale, room: batch.room, workers: workers)
    let rows = batch.maximumRows
    let width = configuration.width
    fewRows = min(rows, Self.rowsAWorker * workers)
    // A worker's share is cut at even rows.
    ownRows = max(fewRows, (rows / 2 + workers - 1) / workers * 2)
    hidden = try FloatBuffer(rows: rows, width: width)
    copies = try FloatBuffer(rows: workers * fewRows, width: width)
    queries = try FloatBuffer(rows: rows, width: width)
    normed = try RotatedActivations(rows: workers * ownRows, shape: shape.width)
    let panels = workers * Self.panel
    keysValues = try FloatBuffer(rows: panels, width: 2 * width)
    sum = try FloatBuffer(rows: panels, width: width)
    inner = try FloatBuffer(rows: panels, width: configuration.feedForwardWidth)
    activated = try RotatedActivations(rows: panels, shape: shape.inner)
  }
}

/// The weights of one BERT layer, rotated.
struct RotatedEncoderLayer: Sendable {
  let queryKeyValue: RotatedProjection
  let output: RotatedProjection
  let attentionNorm: LayerNormWeights
  let intermediate: RotatedProjection
  let contraction: RotatedProjection
  let outputNorm: LayerNormWeights

  /// What its matrices take of an arena.
  static func byteCounts(
    _ configuration: EncoderConfiguration, _ shape: RotatedEncoderBody.Shape
  ) -> [Int] {
    let width = configuration.width
    return [
      RotatedMatrix.byteCount(outputs: 3 * width, shape: shape.width),
      RotatedMatrix.byteCount(outputs: width, shape: shape.width),
      RotatedMatrix.byteCount(outputs: configuration.feedForwardWidth, shape: shape.width),
      RotatedMatrix.byteCount(outputs: width, shape: shape.inner),
    ]
  }

  init(
    prefix: String, _ configuration: EncoderConfiguration, _ shape: RotatedEncoderBody.Shape,
    _ loader: WeightLoader, _ arena: WeightArena
  ) throws(ModelError) {
    let width = configuration.width
    func projection(
      _ names: [String], _ outputs: Int, _ shape: RotatedShape
    ) throws(ModelError) -> RotatedProjection {
      try loader.rotatedProjection(
        names.map { prefix + $0 }, outputs: outputs, shape: shape, arena: arena)
    }
    queryKeyValue = try projection(
      ["attention.self.query", "attention.self.key", "attention.self.value"], width, shape.width)
    output = try projection(["attention.output.dense"], width, shape.width)
    attentionNorm = try LayerNormWeights(
      prefix: prefix + "attention.output.LayerNorm", width: width, loader)
    intermediate = try projection(
      ["intermediate.dense"], configuration.feedForwardWidth, shape.width)
    contraction = try projection(["output.dense"], width, shape.inner)
    outputNorm = try LayerNormWeights(prefix: prefix + "output.LayerNorm", width: width, loader)
  }
}

/// A linear map in rotated int8.
struct RotatedProjection: Sendable {
  let matrix: RotatedMatrix
  let bias: FloatBuffer  // (outputs)
}
