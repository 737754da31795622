import Foundation
import Kernels

/// A Mamba-2 layer: a short convolution over values and their input and output maps, a state space whose heads fade by
/// a decay that the token chooses, a gate, and a norm of each group.
///
/// Source: Dao and Gu, arXiv 2405.21060; `GraniteMoeHybridMambaLayer` of transformers.
package struct MambaBlock: SelfAttention {
  /// The layer among those that keep a state.
  private let index: Int
  private let shape: MambaShape
  private let epsilon: Float
  private let gate: Projection  // (valueWidth, width)
  private let mixed: Projection  // (channels, width)
  // In floats: what is wrong with a decay is multiplied into the state again and again.
  private let step: WeightMatrix  // (heads, width)
  private let output: Projection  // (width, valueWidth)
  private let convolution: ShortConvolution
  /// How fast each head fades (below 0), what is added to its step, and what of a value passes by the state. // (heads)
  private let rate: FloatBuffer
  private let bias: FloatBuffer
  private let skip: FloatBuffer
  private let norm: FloatBuffer  // (groups, normWidth)

  init(
    _ layer: Int, prefix: String, _ configuration: DecoderConfiguration, _ shape: MambaShape,
    _ loader: WeightLoader
  ) throws(ModelError) {
    index = configuration.layers.prefix(layer).count { $0.isRecurrent }
    self.shape = shape
    epsilon = configuration.normEpsilon
    let width = configuration.width
    let (gates, rows) = (shape.valueWidth, shape.projected)
    let input = prefix + "ssm_in"
    gate = try loader.projection(input, rows: 0..<gates, of: rows, inputs: width)
    mixed = try loader.projection(
      input, rows: gates..<gates + shape.channels, of: rows, inputs: width)
    step = try loader.preciseMatrix(
      input + ".weight", rows: gates + shape.channels..<rows, of: rows, inputs: width)
    output = try loader.projection(prefix + "ssm_out", outputs: width, inputs: shape.valueWidth)
    convolution = try ShortConvolution(
      prefix + "ssm_conv1d", channels: shape.channels, taps: shape.taps, loader)
    rate = try loader.finiteVector(prefix + "ssm_a", count: shape.heads, mayBeMatrix: true)
    bias = try loader.finiteVector(prefix + "ssm_dt.bias", count: shape.heads)
    if let more = try loader.optionalFloats(input + ".bias", count: rows) {
      for head in 0..<shape.heads { bias.pointer[head] += more[gates + shape.channels + head] }
    }
    skip = try loader.finiteVector(prefix + "ssm_d", count: shape.heads, mayBeMatrix: true)
    norm = try loader.finiteVector(
      prefix + "ssm_norm.weight", count: shape.valueWidth, mayBeMatrix: true)
  }

  package var byteCount: Int {
    [gate.matrix, mixed.matrix, step, output.matrix].reduce(0) { $0 + $1.byteCount }
  }

  package var readsFloats: Bool { true }

  package func apply(
    _ pass: DecoderPass, output destination: UnsafeMutablePointer<Float>, accumulate: Bool,
    worker: Worker
  ) {
    guard let buffers = pass.mamba else { return }
    let rows = pass.rowCount
    for (projection, buffer) in [(gate, buffers.gate), (mixed, buffers.mixed)] {
      projection.apply(
        pass.normed, rows: rows, into: buffer.pointer, stride: buffer.width, worker: worker)
    }
    step.multiply(
      floats: pass.normed.floats.pointer, stride: pass.normed.width, rowCount: rows,
      outputs: step.outputShare(worker), into: buffers.steps.pointer, stride: shape.heads)
    worker.barrier()
    convolution.apply(
      index, pass, from: buffers.mixed, to: buffers.convolved,
      channels: worker.range(
        of: shape.channels, multipleOf: ShortConvolution.channelMultiple))
    openGates(buffers, rows: worker.range(of: rows))
    worker.barrier()
    applyStates(pass, buffers, worker: worker)
    worker.barrier()
    normalise(buffers, rows: rows, worker: worker)
    worker.barrier()
    buffers.gated.quantize(rows: 0..<rows, worker: worker)
    worker.barrier()
    output.apply(
      buffers.gated, rows: rows, into: destination, stride: output.matrix.outputs,
      accumulate: accumulate, worker: worker)
  }

  /// Makes steps, and the decays that come of them, of the products for them.
  private func openGates(_ buffers: MambaBuffers, rows: Range<Int>) {
    for row in rows {
      let (steps, decays) = (buffers.steps.row(row), buffers.decays.row(row))
      for head in 0..<shape.heads {
        steps[head] = softplus(steps[head] + bias.pointer[head])
        decays[head] = exp(rate.pointer[head] * steps[head])
      }
    }
  }

  /// Takes the tokens into the states. Units are a sequence's tiles of all heads.
  private func applyStates(_ pass: DecoderPass, _ buffers: MambaBuffers, worker: Worker) {
    let tiles = shape.heads * shape.tiles
    for unit in worker.range(of: pass.segmentCount * tiles) {
      let (segment, place) = (unit / tiles, unit % tiles)
      let head = place / shape.tiles
      let (first, count) = pass.rows(ofSequence: segment)
      let row = buffers.convolved.row(first)
      let inputs = row + shape.valueWidth + shape.group(of: head) * shape.stateSize
      let column = place * StateSpace.tileWidth
      StateSpace.apply(
        to: pass.recurrentState(segment: segment).states(index) + column * shape.stateSize,
        stateSize: shape.stateSize, inputs: .init(inputs, stride: shape.channels),
        outputs: inputs + shape.mapWidth, values: .init(row + column, stride: shape.channels),
        decays: .init(buffers.decays.row(first) + head, stride: shape.heads),
        steps: buffers.steps.row(first) + head, skip: skip.pointer[head], tokens: count,
        into: buffers.output.row(first) + column, outputStride: shape.valueWidth)
    }
  }

  /// Opens what was read from the states, then norms each group. Units are a row's groups.
  private func normalise(_ buffers: MambaBuffers, rows: Int, worker: Worker) {
    let width = shape.normWidth
    for unit in worker.range(of: rows * shape.groups) {
      let (row, first) = (unit / shape.groups, unit % shape.groups * width)
      let target = buffers.gated.floats.row(row) + first
      VectorOperations.gate(
        buffers.gate.row(row) + first, buffers.output.row(row) + first, function: .silu,
        into: target, count: width)
      VectorOperations.rmsNorm(
        target, weight: norm.pointer + first, epsilon: epsilon, into: target, rows: 1,
        width: width, worker: .alone)
    }
  }
}
