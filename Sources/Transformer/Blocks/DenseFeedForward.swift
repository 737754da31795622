import Kernels

/// The feed-forward block: down(activation(gate(x)) * up(x)), or down(activation(up(x))) for an activation without a gate.
package struct DenseFeedForward: FeedForward {
  private let layer: Int
  /// nil where the activation has none.
  private let gate: Projection?
  private let up: Projection
  private let down: Projection
  private let function: ActivationFunction

  init(
    _ layer: Int, prefix: String, _ configuration: DecoderConfiguration, _ loader: WeightLoader
  ) throws(ModelError) {
    self.layer = layer
    let width = configuration.width
    let inner = configuration.feedForwardWidth(layer: layer)
    if !configuration.activation.isGated {
      gate = nil
      up = try loader.projection(prefix + "ffn_up", outputs: inner, inputs: width)
    } else if loader.contains(prefix + "ffn_gate.weight") {
      gate = try loader.projection(prefix + "ffn_gate", outputs: inner, inputs: width)
      up = try loader.projection(prefix + "ffn_up", outputs: inner, inputs: width)
    } else if try loader.shape(of: prefix + "ffn_up.weight").first == 2 * inner {
      // One tensor for both, the gate's rows first (Phi 3, GLM 4).
      let parts = try loader.projections(
        prefix + "ffn_up", outputs: [inner, inner], inputs: width)
      (gate, up) = (parts[0], parts[1])
    } else {
      throw .missingTensor(prefix + "ffn_gate.weight")
    }
    down = try loader.projection(prefix + "ffn_down", outputs: width, inputs: inner)
    function = configuration.activation.function
  }

  package var byteCount: Int {
    (gate?.matrix.byteCount ?? 0) + up.matrix.byteCount + down.matrix.byteCount
  }

  package func projection(_ module: AdaptedModule) -> Projection? {
    switch module {
    case .gate: gate
    case .up: up
    case .down: down
    default: nil
    }
  }

  package func apply(
    _ pass: DecoderPass, output: UnsafeMutablePointer<Float>, accumulate: Bool, worker: Worker
  ) {
    let rows = pass.rowCount
    let stride = up.matrix.outputs
    gate?.apply(pass.normed, rows: rows, into: pass.gate.pointer, stride: stride, worker: worker)
    up.apply(pass.normed, rows: rows, into: pass.up.pointer, stride: stride, worker: worker)
    if let adapters = pass.adapters {
      adapters.add(.feedForward, layer: layer, pass, pass.normed, worker: worker) { module in
        if module == .gate, let gate {
          .init(gate, pass.gate.pointer, stride: stride, worker)
        } else {
          .init(up, pass.up.pointer, stride: stride, worker)
        }
      }
    }
    let gated = pass.gated(layer: layer)
    gated.gated(
      gate: gate == nil ? nil : pass.gate.pointer, pass.up.pointer, stride: stride,
      function: function, rows: 0..<rows, after: up.matrix, worker: worker)
    worker.barrier()
    down.apply(
      gated, rows: rows, into: output, stride: down.matrix.outputs, accumulate: accumulate,
      worker: worker)
    pass.adapters?.add(.gated, layer: layer, pass, gated, worker: worker) { _ in
      .init(down, output, stride: down.matrix.outputs, worker)
    }
  }
}
