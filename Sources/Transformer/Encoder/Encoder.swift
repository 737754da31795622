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
  private let body: any EncoderBody
  private let lock = NSLock()

  /// Width of the vectors.
  package var width: Int { configuration.width }
  /// Tokens of one pass at most.
  package var maximumRows: Int { body.batch.maximumRows }

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
    let embeddings = try EncoderEmbeddings(prefix: prefix + "embeddings.", configuration, loader)
    let rows = max(maximumRows, configuration.maximumPositions)
    do {
      if precision == .quantized, let shape = RotatedEncoderBody.Shape(configuration) {
        body = try RotatedEncoderBody(
          configuration: configuration, shape: shape, prefix: prefix, embeddings: embeddings,
          loader: loader, workers: pool.threadCount, maximumRows: rows)
      } else {
        body = try PagedEncoderBody(
          configuration: configuration, prefix: prefix, embeddings: embeddings, loader: loader,
          workers: pool.threadCount, maximumRows: rows)
      }
    } catch let error as ModelError {
      throw error
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
      let count = body.batch.begin(texts[vectors.count...])
      pool.run { worker in body.run(worker, depth: depth) }
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
    _ = body.batch.begin([text])
    guard pool.runIfFree({ worker in body.run(worker, depth: depth) }) else { return nil }
    return pooled().first
  }

  /// The vectors of the texts of the pass that ran.
  private func pooled() -> [[Float]] {
    body.batch.texts.map { text in
      [Float](unsafeUninitializedCapacity: width) { buffer, initialized in
        guard let base = buffer.baseAddress else { return }
        VectorOperations.meanPool(
          body.hidden.row(text.firstRow), rows: text.count, width: width, into: base)
        initialized = width
      }
    }
  }

  private func check(_ texts: [[Int32]], depth: Int?) throws(ModelError) -> Int {
    let depth = depth ?? configuration.layerCount
    guard (1...configuration.layerCount).contains(depth) else {
      throw .malformedBatch(
        reason: "depth \(depth) of an encoder of \(configuration.layerCount) layers")
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
