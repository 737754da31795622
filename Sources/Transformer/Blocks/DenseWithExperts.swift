import Kernels

/// A dense block with a mixture of experts beside it (Gemma 4's mixture): both read the residual stream, each
/// through a norm of its own, and their results are normalised before they are added up. The layer has a norm
/// behind the sum.
///
/// The gate looks at the residual stream through a norm without weights.
package struct DenseWithExperts: FeedForward {
  let dense: DenseFeedForward
  private let mixture: MixtureFeedForward
  private let denseNorm: FloatBuffer  // behind the dense block (width)
  private let inputNorm: FloatBuffer  // before the experts (width)
  private let outputNorm: FloatBuffer  // behind them (width)
  private let gateNorm: FloatBuffer  // before the gate (width)
  private let epsilon: Float

  init(
    _ layer: Int, prefix: String, _ configuration: DecoderConfiguration, _ loader: WeightLoader
  ) throws(ModelError) {
    let width = configuration.width
    epsilon = configuration.normEpsilon
    dense = try DenseFeedForward(layer, prefix: prefix, configuration, loader)
    denseNorm = try loader.vector(prefix + "post_ffw_norm_1.weight", count: width)
    inputNorm = try loader.vector(prefix + "pre_ffw_norm_2.weight", count: width)
    outputNorm = try loader.vector(prefix + "post_ffw_norm_2.weight", count: width)
    gateNorm = try loader.ones(count: width)
    let gateScale = try loader.vector(prefix + "ffn_gate_inp.scale", count: width)
    VectorOperations.scale(
      gateScale.pointer, by: 1 / Float(width).squareRoot(), count: width)
    mixture = try MixtureFeedForward(
      layer, prefix: prefix, configuration, loader, gateScale: gateScale,
      expertScales: try loader.optionalFloats(
        prefix + "ffn_down_exps.scale", count: configuration.mixture?.expertCount ?? 0))
  }

  package var byteCount: Int { dense.byteCount + mixture.byteCount }
  package var expertGate: Gate? { mixture.gate }

  package var mixtureShape: MixtureShape? {
    var shape = mixture.mixtureShape
    shape?.isBesideDense = true
    return shape
  }

  package func projection(_ module: AdaptedModule) -> Projection? { dense.projection(module) }

  /// What the gate looks at is put where the block's result will stand.
  package func prepare(_ pass: DecoderPass, rows: Range<Int>) {
    guard let input = pass.branch else { return }
    for row in rows {
      VectorOperations.rmsNorm(
        pass.residual.row(row), weight: gateNorm.pointer, epsilon: epsilon, into: input.row(row),
        rows: 1, width: input.width, worker: .alone)
    }
    mixture.prepare(pass, rows: rows, input: input)
  }

  package func settle(_ pass: DecoderPass, rows: Range<Int>, worker: Worker) {
    mixture.settle(pass, rows: rows, worker: worker)
  }

  package func apply(
    _ pass: DecoderPass, output: UnsafeMutablePointer<Float>, accumulate: Bool, worker: Worker
  ) {
    assert(!accumulate)
    guard let result = pass.mixture?.beside else { return }
    let rows = pass.rowCount
    let width = result.width
    dense.apply(pass, output: output, accumulate: false, worker: worker)
    worker.barrier()
    VectorOperations.rmsNorm(
      output, weight: denseNorm.pointer, epsilon: epsilon, into: output, rows: rows, width: width,
      worker: worker)
    pass.normed.rmsNorm(
      pass.residual.pointer, stride: width, weight: inputNorm.pointer, epsilon: epsilon,
      rows: 0..<rows, worker: worker)
    worker.barrier()
    mixture.apply(pass, output: result.pointer, accumulate: false, worker: worker)
    worker.barrier()
    for row in worker.range(of: rows) {
      VectorOperations.rmsNorm(
        result.row(row), weight: outputNorm.pointer, epsilon: epsilon, into: result.row(row),
        rows: 1, width: width, worker: .alone)
      VectorOperations.add(result.row(row), times: 1, to: output + row * width, count: width)
    }
  }
}
