import Foundation
import Kernels

/// A gated delta-net layer (Qwen 3.5, Qwen3-Next): a short convolution over queries, keys and values, then the gated delta
/// rule, whose state takes the place of cached keys and values, a norm a head and a gate.
///
/// Source: Yang et al., arXiv 2412.06464; `Qwen3_5GatedDeltaNet` of transformers.
package struct DeltaNetBlock: SelfAttention {
  /// The layer among those that keep a state.
  private let index: Int
  private let shape: DeltaNetShape
  private let epsilon: Float
  private let mixed: Projection  // (channels, width)
  private let gate: Projection  // (valueWidth, width)
  // In floats: what is wrong with a decay is multiplied into the state again and again.
  private let alpha: WeightMatrix  // (valueHeads, width)
  private let beta: WeightMatrix  // (valueHeads, width)
  private let output: Projection  // (width, valueWidth)
  private let convolution: ShortConvolution
  /// How fast each head fades (below 0), and what is added to alpha. // (valueHeads)
  private let rate: FloatBuffer
  private let bias: FloatBuffer
  private let norm: FloatBuffer  // (headDim)
  /// What a query, or key, of length 1 is multiplied with, as the weights of an RMS norm. // (headDim)
  private let queryScale: FloatBuffer
  private let keyScale: FloatBuffer

  /// Keeps the length of a query or key from 0; a constant of the reference.
  private static let lengthEpsilon: Float = 1e-6

  init(
    _ layer: Int, prefix: String, _ configuration: DecoderConfiguration, _ shape: DeltaNetShape,
    _ loader: WeightLoader
  ) throws(ModelError) {
    index = configuration.layers.prefix(layer).count { $0.isRecurrent }
    self.shape = shape
    epsilon = configuration.normEpsilon
    let width = configuration.width
    (mixed, gate) = try Self.mixedAndGate(prefix, shape, width: width, loader)
    (alpha, beta) = try Self.alphaAndBeta(prefix, shape, width: width, loader)
    output = try loader.projection(prefix + "ssm_out", outputs: width, inputs: shape.valueWidth)
    rate = try loader.finiteVector(prefix + "ssm_a", count: shape.valueHeads)
    bias = try loader.finiteVector(prefix + "ssm_dt.bias", count: shape.valueHeads)
    norm = try loader.vector(prefix + "ssm_norm.weight", count: shape.headDim)
    convolution = try ShortConvolution(
      prefix + "ssm_conv1d", channels: shape.channels, taps: shape.taps, loader)
    queryScale = try loader.ones(count: shape.headDim)
    keyScale = try loader.ones(count: shape.headDim)
    // An RMS norm makes a row as long as the root of its width.
    let headDim = Float(shape.headDim)
    keyScale.pointer.update(repeating: 1 / headDim.squareRoot(), count: shape.headDim)
    queryScale.pointer.update(repeating: 1 / headDim, count: shape.headDim)
  }

  /// The map to queries, keys and values, and that to the gate. Qwen3-Next has one tensor for both, in its
  /// checkpoints and in GGUF files of its first months, where those of a key head are neighbours.
  private static func mixedAndGate(
    _ prefix: String, _ shape: DeltaNetShape, width: Int, _ loader: WeightLoader
  ) throws(ModelError) -> (Projection, Projection) {
    if loader.contains(prefix + "ssm_in.weight") {
      let values = shape.valueWidth / shape.keyHeads
      let rows = InterleavedRows(
        heads: shape.keyHeads, counts: [shape.headDim, shape.headDim, values, values])
      let parts = try loader.interleavedProjections(
        prefix + "ssm_in", rows, maps: [[0, 1, 2], [3]], inputs: width)
      return (parts[0], parts[1])
    }
    return (
      try loader.projection(prefix + "attn_qkv", outputs: shape.channels, inputs: width),
      try loader.projection(prefix + "attn_gate", outputs: shape.valueWidth, inputs: width)
    )
  }

  /// The maps to alpha and beta; one tensor for both, betas first, in Qwen3-Next.
  private static func alphaAndBeta(
    _ prefix: String, _ shape: DeltaNetShape, width: Int, _ loader: WeightLoader
  ) throws(ModelError) -> (WeightMatrix, WeightMatrix) {
    let both = prefix + "ssm_ba.weight"
    if loader.contains(both) {
      let values = shape.valueHeads / shape.keyHeads
      let parts = try loader.interleavedPreciseMatrices(
        both, InterleavedRows(heads: shape.keyHeads, counts: [values, values]), inputs: width)
      return (parts[1], parts[0])
    }
    return (
      try loader.preciseMatrix(
        prefix + "ssm_alpha.weight", outputs: shape.valueHeads, inputs: width),
      try loader.preciseMatrix(
        prefix + "ssm_beta.weight", outputs: shape.valueHeads, inputs: width)
    )
  }

  package var byteCount: Int {
    [mixed.matrix, gate.matrix, alpha, beta, output.matrix].reduce(0) { $0 + $1.byteCount }
  }

  package var readsFloats: Bool { true }

  package func apply(
    _ pass: DecoderPass, output destination: UnsafeMutablePointer<Float>, accumulate: Bool,
    worker: Worker
  ) {
    guard let buffers = pass.deltaNet else { return }
    let rows = pass.rowCount
    for (projection, buffer) in [(mixed, buffers.mixed), (gate, buffers.gate)] {
      projection.apply(
        pass.normed, rows: rows, into: buffer.pointer, stride: buffer.width, worker: worker)
    }
    let mine = worker.range(of: rows)
    for (matrix, buffer) in [(alpha, buffers.decays), (beta, buffers.betas)] where !mine.isEmpty {
      matrix.multiply(
        floats: pass.normed.floats.row(mine.lowerBound), stride: pass.normed.width,
        rowCount: mine.count, outputs: 0..<matrix.outputs, into: buffer.row(mine.lowerBound),
        stride: buffer.width)
    }
    worker.barrier()
    convolve(pass, buffers, worker: worker)
    openGates(buffers, rows: worker.range(of: rows))
    worker.barrier()
    applyRule(pass, buffers, worker: worker)
    worker.barrier()
    VectorOperations.rmsNorm(
      buffers.output.pointer, weight: norm.pointer, epsilon: epsilon,
      into: buffers.output.pointer, rows: rows * shape.valueHeads, width: shape.headDim,
      worker: worker)
    worker.barrier()
    buffers.gated.gated(
      buffers.gate.pointer, buffers.output.pointer, stride: shape.valueWidth, function: .silu,
      rows: 0..<rows, worker: worker)
    worker.barrier()
    output.apply(
      buffers.gated, rows: rows, into: destination, stride: output.matrix.outputs,
      accumulate: accumulate, worker: worker)
  }

  /// Convolves this worker's heads over each sequence's tokens, and normalises queries and keys.
  private func convolve(_ pass: DecoderPass, _ buffers: DeltaNetBuffers, worker: Worker) {
    let mine = worker.range(of: shape.channels, multipleOf: shape.headDim)
    guard !mine.isEmpty else { return }
    convolution.apply(
      index, pass, from: buffers.mixed, to: buffers.convolved, channels: mine)
    for row in 0..<pass.rowCount {
      normalise(buffers.convolved.row(row), queryScale, 0..<shape.keyWidth, mine)
      normalise(
        buffers.convolved.row(row), keyScale, shape.keyWidth..<2 * shape.keyWidth, mine)
    }
  }

  /// Gives those of this worker's heads that lie in `part` the length that `scale` says.
  private func normalise(
    _ row: UnsafeMutablePointer<Float>, _ scale: FloatBuffer, _ part: Range<Int>,
    _ mine: Range<Int>
  ) {
    let heads = mine.clamped(to: part)
    guard !heads.isEmpty else { return }
    VectorOperations.rmsNorm(
      row + heads.lowerBound, weight: scale.pointer,
      epsilon: Self.lengthEpsilon / Float(shape.headDim), into: row + heads.lowerBound,
      rows: heads.count / shape.headDim, width: shape.headDim, worker: .alone)
  }

  /// Makes decays and betas of the products for them.
  private func openGates(_ buffers: DeltaNetBuffers, rows: Range<Int>) {
    for row in rows {
      let (decays, betas) = (buffers.decays.row(row), buffers.betas.row(row))
      for head in 0..<shape.valueHeads {
        decays[head] = exp(rate.pointer[head] * softplus(decays[head] + bias.pointer[head]))
        betas[head] = 1 / (1 + exp(-betas[head]))
      }
    }
  }

  /// Takes the tokens into the states. Units are a sequence's tiles of all heads.
  private func applyRule(_ pass: DecoderPass, _ buffers: DeltaNetBuffers, worker: Worker) {
    let tiles = shape.valueHeads * shape.tiles
    for unit in worker.range(of: pass.segmentCount * tiles) {
      let (segment, place) = (unit / tiles, unit % tiles)
      let head = place / shape.tiles
      let (first, count) = pass.rows(ofSequence: segment)
      let row = buffers.convolved.row(first)
      let query = row + shape.keyHead(of: head) * shape.headDim
      let column = place * DeltaRule.tileWidth
      DeltaRule.apply(
        to: pass.recurrentState(segment: segment).states(index) + column * shape.headDim,
        keyDim: shape.headDim,
        keys: .init(query + shape.keyWidth, stride: shape.channels), queries: query,
        values: .init(row + 2 * shape.keyWidth + column, stride: shape.channels),
        decays: .init(buffers.decays.row(first) + head, stride: shape.valueHeads),
        betas: buffers.betas.row(first) + head, tokens: count,
        into: buffers.output.row(first) + column, outputStride: shape.valueWidth)
    }
  }
}
