import Kernels

/// Low-rank additions to the linear maps of a decoder: y = W x + scale · B (A x). // LoRA
///
/// A has (rank, inputs), B (outputs, rank); ranks may differ from module to module. Some megabytes
/// beside a base of a hundred or more.
package final class LowRankAdapter: Sendable {
  /// The additions to one module.
  struct Addition: Sendable {
    let module: AdaptedModule
    /// Its rows of the A that modules with the same input share.
    let ranks: Range<Int>
    /// B with its scale, transposed. // (rank, outputs)
    let rows: AdapterRows
  }

  /// The additions of modules that have the same input.
  struct Group: Sendable {
    /// All A's, one after the other. // (sum of ranks, inputs)
    let matrix: WeightMatrix
    let additions: [Addition]
  }

  /// The base that it was made for.
  package let target: AdapterTarget
  /// `layer * inputs + input`, nil where nothing is added.
  private let groups: [Group?]
  /// Most ranks that a group has.
  let largestRankSum: Int
  /// Memory that it takes.
  package let byteCount: Int
  /// The modules that it changes in at least one layer.
  package let modules: Set<AdaptedModule>

  init(target: AdapterTarget, groups: [Group?]) {
    self.target = target
    self.groups = groups
    largestRankSum = groups.reduce(0) { max($0, $1?.matrix.outputs ?? 0) }
    byteCount = groups.reduce(0) { sum, group in
      guard let group else { return sum }
      return sum + group.matrix.byteCount
        + group.additions.reduce(0) { $0 + $1.rows.byteCount }
    }
    modules = Set(groups.flatMap { $0?.additions.map(\.module) ?? [] })
  }

  @inline(__always)
  func group(layer: Int, _ input: AdapterInput) -> Group? {
    groups[layer * AdapterInput.allCases.count + input.rawValue]
  }
}
