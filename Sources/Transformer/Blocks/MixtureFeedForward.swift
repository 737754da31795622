import Kernels

/// A feed-forward block of many experts, of which each row passes through those that its gate
/// chooses: the sum over these of weight * down(activation(gate(x)) * up(x)), without gate(x) where they have no gates.
///
/// Rows are grouped by expert, so that an expert's weights are read once a pass however many rows
/// chose it, and not at all if none did. Against the dense block that takes one barrier more, and
/// none at all where a single row decodes.
package struct MixtureFeedForward: FeedForward {
  let layer: Int
  /// Chooses among the routed experts, from the rows' float norms.
  package let gate: Gate
  private let experts: [Expert]
  private let shared: SharedExpert?
  private let function: ActivationFunction

  /// - Parameters:
  ///   - layer: Index of the layer, which keys random gates and statistics.
  ///   - experts: As many as `gate` has ids, all of the same sizes.
  ///   - shared: Runs on every row, whatever the gate says.
  init(
    layer: Int, gate: Gate, experts: [Expert], shared: SharedExpert? = nil,
    function: ActivationFunction
  ) throws(ModelError) {
    guard let first = experts.first, experts.count == gate.totalExperts else {
      throw .invalidValue(
        key: "experts of layer \(layer)", value: "\(experts.count)",
        expected: "\(gate.totalExperts)")
    }
    for expert in experts where expert.width != first.width || expert.inner != first.inner {
      throw .wrongShape(
        tensor: "an expert of layer \(layer)", shape: [expert.inner, expert.width],
        expected: [first.inner, first.width])
    }
    self.layer = layer
    self.gate = gate
    self.experts = experts
    self.shared = shared
    self.function = function
    mixtureShape = MixtureShape(
      width: first.width, expertWidth: first.inner, expertCount: gate.totalExperts,
      maximumActive: gate.maximumActive, sharedWidth: shared?.inner ?? 0)
  }

  package let mixtureShape: MixtureShape?

  package var expertGate: Gate? { gate }

  package var byteCount: Int {
    experts.reduce(0) { $0 + $1.byteCount } + (shared?.byteCount ?? 0)
  }

  package var readsFloats: Bool { true }

  /// Lets the gate choose for rows that this worker has just normalised.
  package func prepare(_ pass: DecoderPass, rows: Range<Int>) {
    prepare(pass, rows: rows, input: pass.normed.floats)
  }

  /// The same with other numbers than the experts get.
  func prepare(_ pass: DecoderPass, rows: Range<Int>, input: FloatBuffer) {
    guard let mixture = pass.mixture, !rows.isEmpty else { return }
    pass.choose(
      gate, at: .mixture, layer: layer, input: input, rows: rows, into: mixture.choices)
    shared?.prepare(input, rows: rows, factors: mixture.sharedFactors)
  }

  package func settle(_ pass: DecoderPass, rows: Range<Int>, worker: Worker) {
    guard let mixture = pass.mixture, !rows.isEmpty else { return }
    pass.settle(
      gate, at: .mixture, layer: layer, rows: rows, into: mixture.choices, worker: worker)
  }

  package func apply(
    _ pass: DecoderPass, output: UnsafeMutablePointer<Float>, accumulate: Bool, worker: Worker
  ) {
    guard let mixture = pass.mixture else { return }
    let rows = pass.rowCount
    // Each worker makes the same plan for itself, which costs less than waiting for one.
    let plan = mixture.plans[worker.index]
    plan.make(mixture.choices, rows: rows)
    if worker.index == 0 { pass.recordGate(layer: layer) }
    let source = rows == 1 ? pass.normed : mixture.gathered
    for slice in 0..<max(plan.sliceCount, 1) {
      let slots = plan.slots(slice: slice)
      if rows > 1 {
        mixture.gathered.gather(pass.normed, rows: plan.rows(slots), into: 0, worker: worker)
        worker.barrier()
      }
      for run in plan.runs(slice: slice) {
        experts[run.expert].expand(
          source, rows: rows == 1 ? 0..<1 : run.slots, gate: mixture.gate.row(run.slots.lowerBound),
          up: mixture.up.row(run.slots.lowerBound), worker: worker)
      }
      if slice == 0 { shared?.expand(pass.normed, rows: rows, mixture, worker: worker) }
      if !slots.isEmpty {
        mixture.gated.gated(
          gate: experts[0].gate == nil ? nil : mixture.gate.pointer, mixture.up.pointer,
          stride: mixture.up.width, function: function, rows: 0..<slots.count,
          after: experts[0].up.matrix, worker: worker)
      }
      if slice == 0 { shared?.activate(function, rows: rows, mixture, worker: worker) }
      worker.barrier()
      if slice == 0 {
        begin(output, rows: rows, mixture, accumulate: accumulate, worker: worker)
      }
      for run in plan.runs(slice: slice) {
        reduce(run, weights: plan.weights(slots), rows: plan.rows(slots), mixture, output, worker)
      }
    }
  }

  /// The shared expert's part of the output, or zeros where there is none.
  private func begin(
    _ output: UnsafeMutablePointer<Float>, rows: Int, _ mixture: MixtureBuffers,
    accumulate: Bool, worker: Worker
  ) {
    let width = experts[0].width
    if let shared {
      shared.reduce(mixture, rows: rows, output, accumulate: accumulate, worker: worker)
    } else if !accumulate {
      let mine = experts[0].down.matrix.outputShare(worker)
      for row in 0..<rows {
        (output + row * width + mine.lowerBound).update(repeating: 0, count: mine.count)
      }
    }
  }

  /// Adds what a run's expert makes of its rows to the output. Every expert's outputs are shared
  /// out alike, so that each worker adds up what it computed itself.
  private func reduce(
    _ run: ExpertPlan.Run, weights: UnsafeBufferPointer<Float>,
    rows: UnsafeBufferPointer<Int32>, _ mixture: MixtureBuffers,
    _ output: UnsafeMutablePointer<Float>, _ worker: Worker
  ) {
    let down = experts[run.expert].down
    let scale = experts[run.expert].scale
    let width = down.matrix.outputs
    let result = mixture.result.row(run.slots.lowerBound)
    down.apply(
      mixture.gated, rows: run.slots, into: result, stride: width, worker: worker)
    let mine = down.matrix.outputShare(worker)
    for (index, slot) in run.slots.enumerated() {
      VectorOperations.add(
        result + index * width + mine.lowerBound, times: weights[slot] * scale,
        to: output + Int(rows[slot]) * width + mine.lowerBound, count: mine.count)
    }
  }
}
