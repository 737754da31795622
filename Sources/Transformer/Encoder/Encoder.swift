import Foundation
import Kernels
import ModelFiles

/// A BERT sentence encoder: token ids in, one vector of length 1 a text out.
///
/// The vector is the mean over all of the text's tokens, the classification and separator tokens
/// included, as sentence-transformers' mean pooling has it. One thread uses it at a time.
package final class Encoder: @unchecked Sendable {
  // Unchecked: `lock` lets one batch in at a time.

  package let configuration: EncoderConfiguration
  private let pool: ComputePool
  let words: EmbeddingTable
  let positions: EmbeddingTable
  let kinds: EmbeddingTable
  let embeddingNorm: LayerNormWeights
  let layers: [EncoderLayer]
  let attention: Attention
  /// Instead of the other, where the machine can do it and weights are quantised.
  let fullAttention: FullAttention?
  let pass: EncoderPass
  private let lock = NSLock()

  /// Width of the vectors.
  package var width: Int { configuration.width }
  /// Tokens of one pass at most.
  package var maximumRows: Int { pass.maximumRows }

  /// - Parameters:
  ///   - configuration: From the model's `config.json`.
  ///   - maximumRows: Tokens of one pass at most; at least the longest text's.
  package init(
    configuration: EncoderConfiguration, tensors: any TensorSource, pool: ComputePool,
    precision: WeightMatrix.Precision = .quantized, maximumRows: Int = 512
  ) throws(ModelError) {
    self.configuration = configuration
    self.pool = pool
    let loader = WeightLoader(source: tensors, precision: precision, pool: pool)
    // Some files hold the encoder below a task's head.
    let prefix = loader.contains("bert.embeddings.word_embeddings.weight") ? "bert." : ""
    let width = configuration.width
    words = try loader.embeddings(
      prefix + "embeddings.word_embeddings.weight", rows: configuration.vocabularySize,
      width: width)
    positions = try loader.embeddings(
      prefix + "embeddings.position_embeddings.weight", rows: configuration.maximumPositions,
      width: width)
    let kindsName = prefix + "embeddings.token_type_embeddings.weight"
    let kindsShape = try loader.shape(of: kindsName)
    kinds = try loader.embeddings(kindsName, rows: max(1, kindsShape.first ?? 1), width: width)
    embeddingNorm = try LayerNormWeights(
      prefix: prefix + "embeddings.LayerNorm", width: width, loader)
    var layers: [EncoderLayer] = []
    for index in 0..<configuration.layerCount {
      layers.append(
        try EncoderLayer(prefix: prefix + "encoder.layer.\(index).", configuration, loader))
    }
    self.layers = layers
    let scale = 1 / Float(configuration.headDim).squareRoot()
    do {
      pass = try EncoderPass(
        configuration: configuration, precision: precision,
        maximumRows: max(maximumRows, configuration.maximumPositions))
      attention = try Attention(
        layout: pass.layout, heads: configuration.headCount,
        scale: scale, workers: pool.threadCount)
      fullAttention =
        precision == .quantized && FullAttention.isAvailable(headDim: configuration.headDim)
        ? try FullAttention(
          heads: configuration.headCount, headDim: configuration.headDim, scale: scale,
          room: pass.room, maximumPositions: configuration.maximumPositions,
          workers: pool.threadCount)
        : nil
    } catch {
      throw .invalidValue(key: "config.json", value: "\(error)", expected: "buildable buffers")
    }
  }

  /// Loads `config.json` and `model.safetensors` of a folder.
  package convenience init(
    folder: String, pool: ComputePool, precision: WeightMatrix.Precision = .quantized
  ) throws {
    let json = try Data(contentsOf: URL(fileURLWithPath: folder + "/config.json"))
    try self.init(
      configuration: EncoderConfiguration(json: json),
      tensors: SafetensorsFile(path: folder + "/model.safetensors"), pool: pool,
      precision: precision)
  }

  /// The vectors of some texts. // (texts, width)
  ///
  /// - Parameter depth: Layers to go through, from the first; the mean is over what the last of them
  ///   gives. Nil for all.
  package func embed(
    _ texts: [[Int32]], depth: Int? = nil
  ) throws(ModelError) -> [[Float]] {
    let depth = try check(texts, depth: depth)
    lock.lock()
    defer { lock.unlock() }
    var vectors: [[Float]] = []
    vectors.reserveCapacity(texts.count)
    while vectors.count < texts.count {
      let count = pass.begin(texts[vectors.count...])
      pool.run { worker in run(worker, depth: depth) }
      vectors += pooled()
      // `check` bounds every text, so that at least one always fits.
      if count == 0 { throw .malformedBatch(reason: "a text that fits no pass") }
    }
    return vectors
  }

  /// The vector of one text, if nobody uses the encoder or the threads now; nil where somebody does.
  package func embedIfFree(
    _ text: [Int32], depth: Int? = nil
  ) throws(ModelError) -> [Float]? {
    let depth = try check([text], depth: depth)
    guard lock.try() else { return nil }
    defer { lock.unlock() }
    _ = pass.begin([text])
    guard pool.runIfFree({ worker in run(worker, depth: depth) }) else { return nil }
    return pooled().first
  }

  /// The vectors of the texts of the pass that ran.
  private func pooled() -> [[Float]] {
    pass.texts.map { text in
      [Float](unsafeUninitializedCapacity: width) { buffer, initialized in
        guard let base = buffer.baseAddress else { return }
        VectorOperations.meanPool(
          pass.hidden.row(text.firstRow), rows: text.count, width: width, into: base)
        initialized = width
      }
    }
  }

  private func check(_ texts: [[Int32]], depth: Int?) throws(ModelError) -> Int {
    let depth = depth ?? layers.count
    guard (1...layers.count).contains(depth) else {
      throw .malformedBatch(reason: "depth \(depth) of an encoder of \(layers.count) layers")
    }
    for text in texts { try check(text) }
    return depth
  }

  private func check(_ text: [Int32]) throws(ModelError) {
    guard !text.isEmpty else { throw .malformedBatch(reason: "an empty text") }
    guard text.count <= configuration.maximumPositions else {
      throw .contextExceeded(
        tokens: text.count, contextLength: configuration.maximumPositions)
    }
    for token in text where token < 0 || Int(token) >= configuration.vocabularySize {
      throw .tokenOutOfRange(token: token, vocabularySize: configuration.vocabularySize)
    }
  }
}
