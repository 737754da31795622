/// How long a model's passes of few rows take: as a line, whose beginning is what reading the weights
/// costs, and whose slope what each row costs besides.
///
/// Earlier passes count ever less: contexts grow, and a machine has other work.
package struct PassTimes {
  // Sums over the passes, each weighed by how recent it is.
  private var weight = 0.0
  private var rows = 0.0
  private var seconds = 0.0
  private var rowsSquared = 0.0
  private var rowsBySeconds = 0.0

  /// What a pass weighs of what the one after it does.
  private static let decay = 0.98
  /// A row's cost as a share of a pass of one row, as long as passes were all of as many rows.
  private static let likelySlope = 0.15
  /// How much the passes' rows must have varied, squared and summed, to say as much as `likelySlope` does.
  private static let slopeDoubt = 2.0
  /// A pass that took so many times as long as those before was held up by something else.
  private static let heldUp = 4.0
  private static let fewPasses = 3.0

  package init() {}

  /// Whether enough passes were seen for the line to mean something.
  package var isKnown: Bool { weight >= Self.fewPasses * Self.decay * Self.decay }

  package mutating func note(rows newRows: Int, seconds newSeconds: Double) {
    let taken = isKnown ? min(newSeconds, Self.heldUp * pass(rows: newRows)) : newSeconds
    let count = Double(newRows)
    weight = weight * Self.decay + 1
    rows = rows * Self.decay + count
    seconds = seconds * Self.decay + taken
    rowsSquared = rowsSquared * Self.decay + count * count
    rowsBySeconds = rowsBySeconds * Self.decay + count * taken
  }

  /// Seconds that one more row takes in a pass.
  package var row: Double {
    guard weight > 0 else { return 0 }
    let (meanRows, meanSeconds) = (rows / weight, seconds / weight)
    // What a pass of one row takes, if the likely slope is right.
    let single = meanSeconds / (1 + Self.likelySlope * (meanRows - 1))
    let variance = max(0, rowsSquared - rows * meanRows)
    let covariance = rowsBySeconds - rows * meanSeconds
    let slope =
      (covariance + Self.slopeDoubt * Self.likelySlope * single) / (variance + Self.slopeDoubt)
    return min(max(slope, 0.01 * single), single)
  }

  /// Seconds that a pass of so many rows takes.
  package func pass(rows count: Int) -> Double {
    guard weight > 0 else { return 0 }
    return max(row, seconds / weight + row * (Double(count) - rows / weight))
  }
}
