/// For which weights of one goal each expert would be chosen.
package struct LowerEnvelope: Equatable, Sendable {
  /// The weights from `lower` to `upper` for which `loss + weight x cost` is smallest at `index`.
  package struct Piece: Equatable, Sendable {
    package var index: Int
    package var lower: Double
    /// Infinity for the last piece.
    package var upper: Double
  }

  /// From weight 0 to infinity, without gaps. At a shared end both neighbours are equally good.
  package let pieces: [Piece]

  /// The envelope of the lines `loss + weight x cost` for weights from 0 on.
  ///
  /// Lines that coincide are represented by the first of them; lines that touch the envelope in a
  /// single point get no piece. Lines with numbers that are not finite are left out.
  package init(losses: [Double], costs: [Double]) {
    let lines = zip(losses, costs).enumerated()
      .filter { $0.element.0.isFinite && $0.element.1.isFinite }
      .map { (index: $0.offset, loss: $0.element.0, cost: $0.element.1) }
    // At weight 0 the smallest loss wins, of equals the smallest cost.
    guard
      var current = lines.min(by: {
        ($0.loss, $0.cost, $0.index) < ($1.loss, $1.cost, $1.index)
      })
    else {
      pieces = []
      return
    }
    var found: [Piece] = []
    var weight = 0.0
    while true {
      // Only a cheaper line can get below; the first to cross takes over, of several the cheapest.
      var next: (line: (index: Int, loss: Double, cost: Double), weight: Double)?
      for line in lines where line.cost < current.cost {
        let crossing = (line.loss - current.loss) / (current.cost - line.cost)
        guard crossing.isFinite else { continue }
        if let best = next {
          if (crossing, line.cost, line.index) < (best.weight, best.line.cost, best.line.index) {
            next = (line, crossing)
          }
        } else {
          next = (line, crossing)
        }
      }
      guard let next else {
        found.append(Piece(index: current.index, lower: weight, upper: .infinity))
        break
      }
      let end = max(weight, next.weight)
      if end > weight { found.append(Piece(index: current.index, lower: weight, upper: end)) }
      weight = end
      current = next.line
    }
    pieces = found
  }

  /// The weights for which the line at `index` is chosen, if any.
  package func range(of index: Int) -> (lower: Double, upper: Double)? {
    pieces.first { $0.index == index }.map { ($0.lower, $0.upper) }
  }
}
