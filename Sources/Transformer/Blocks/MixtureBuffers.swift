import Kernels

/// The sizes that a mixture's buffers are made for.
package struct MixtureShape: Sendable, Equatable {
  /// Width of the residual stream.
  package var width: Int
  /// Width of an expert between its two halves.
  package var expertWidth: Int
  package var expertCount: Int
  /// Experts that a row can have at most.
  package var maximumActive: Int
  /// The same of the expert that every row passes through; 0 where there is none.
  package var sharedWidth: Int
  /// Whether a layer has a dense block too, whose result stands beside the experts'.
  package var isBesideDense = false

  /// Throws if layers differ in what must be alike, or else makes room for both.
  func union(_ other: MixtureShape?) throws(ModelError) -> MixtureShape {
    guard let other else { return self }
    for (name, mine, theirs) in [
      ("width", width, other.width), ("expert width", expertWidth, other.expertWidth),
      ("shared width", max(sharedWidth, other.sharedWidth), sharedWidth),
      ("shared width", max(sharedWidth, other.sharedWidth), other.sharedWidth),
    ] where mine != theirs && theirs != 0 {
      throw .unsupported(key: "\(name) of the experts", value: "\(mine) and \(theirs)")
    }
    return MixtureShape(
      width: width, expertWidth: expertWidth, expertCount: max(expertCount, other.expertCount),
      maximumActive: max(maximumActive, other.maximumActive),
      sharedWidth: max(sharedWidth, other.sharedWidth),
      isBesideDense: isBesideDense || other.isBesideDense)
  }
}

/// What mixtures of experts need of a pass beyond the dense blocks' buffers. One layer uses it at
/// a time.
final class MixtureBuffers: @unchecked Sendable {
  // Unchecked: as DecoderPass.

  /// The buffers of an expert that every row passes through.
  struct Shared {
    let gate: FloatBuffer  // (rows, sharedWidth)
    let up: FloatBuffer  // (rows, sharedWidth)
    let gated: Activations  // (rows, sharedWidth)
    let result: FloatBuffer  // (rows, width)
  }

  let choices: GateChoices
  /// One for each worker.
  let plans: [ExpertPlan]

  // A slot is a row with one of its experts; all are (slots, width of the name).
  let gathered: Activations
  let gate: FloatBuffer
  let up: FloatBuffer
  let gated: Activations
  let result: FloatBuffer

  let shared: Shared?
  /// Weights of the shared expert. // (rows)
  let sharedFactors: UnsafeMutablePointer<Float>

  /// What the experts give where a layer's dense block gives something else; nil elsewhere. // (rows, width)
  let beside: FloatBuffer?

  /// Slots that are worked on at a time, at most: 16 rows an expert for 128 experts.
  private static let slotLimit = 2040

  init(
    _ shape: MixtureShape, maximumRows: Int, workers: Int, precision: WeightMatrix.Precision
  ) throws(KernelError) {
    let group = Activations.rowGroup
    let pairs = maximumRows * min(shape.maximumActive, Self.slotLimit)
    let wanted = pairs + group * min(shape.expertCount, pairs)
    let slots = (min(wanted, Self.slotLimit) + group - 1) / group * group
    choices = try GateChoices(maxRows: maximumRows, expertCount: shape.expertCount)
    plans = (0..<workers).map { _ in
      ExpertPlan(
        maximumRows: maximumRows, maximumActive: shape.maximumActive,
        expertCount: shape.expertCount, sliceSize: slots)
    }
    gathered = try Activations(maxRows: slots, width: shape.width, precision: precision)
    gate = try FloatBuffer(rows: slots, width: shape.expertWidth)
    up = try FloatBuffer(rows: slots, width: shape.expertWidth)
    gated = try Activations(maxRows: slots, width: shape.expertWidth, precision: precision)
    result = try FloatBuffer(rows: slots, width: shape.width)
    shared =
      shape.sharedWidth > 0
      ? Shared(
        gate: try FloatBuffer(rows: maximumRows, width: shape.sharedWidth),
        up: try FloatBuffer(rows: maximumRows, width: shape.sharedWidth),
        gated: try Activations(
          maxRows: maximumRows, width: shape.sharedWidth, precision: precision),
        result: try FloatBuffer(rows: maximumRows, width: shape.width))
      : nil
    beside =
      shape.isBesideDense ? try FloatBuffer(rows: maximumRows, width: shape.width) : nil
    sharedFactors = .allocate(capacity: maximumRows)
    sharedFactors.initialize(repeating: 0, count: maximumRows)
  }

  deinit { sharedFactors.deallocate() }
}
