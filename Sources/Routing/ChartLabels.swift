/// Finds places for labels so that none covers another or a mark.
enum ChartLabels {
  struct Box: Equatable {
    var x: Double
    var y: Double
    var width: Double
    var height: Double

    /// The area that both cover.
    func overlap(_ other: Box) -> Double {
      let w = min(x + width, other.x + other.width) - max(x, other.x)
      let h = min(y + height, other.y + other.height) - max(y, other.y)
      return w > 0 && h > 0 ? w * h : 0
    }

    /// Where a line from a mark should end, if the label is not right beside it.
    func leader(to markX: Double, _ markY: Double) -> (Double, Double)? {
      let nearX = min(max(markX, x), x + width)
      let nearY = min(max(markY, y), y + height)
      let distance = ((nearX - markX) * (nearX - markX) + (nearY - markY) * (nearY - markY))
        .squareRoot()
      return distance > 18 ? (nearX, nearY) : nil
    }
  }

  /// One box a label. Each is tried around its mark, nearest first, until nothing is covered; where
  /// all is taken, the place that covers least.
  ///
  /// - Parameter lines: thin boxes along drawn lines, to be kept free where that is possible.
  static func place(
    anchors: [(x: Double, y: Double)], sizes: [(width: Double, height: Double)],
    lines: [Box] = [], inside: Box
  ) -> [Box] {
    let marks = anchors.map { Box(x: $0.x - 8, y: $0.y - 8, width: 16, height: 16) }
    var placed: [Box?] = anchors.map { _ in nil }
    // From the left, so that crowded places fill in order.
    let order = anchors.indices.sorted {
      (anchors[$0].x, anchors[$0].y) < (anchors[$1].x, anchors[$1].y)
    }
    for index in order {
      var best: (box: Box, badness: Double)?
      for candidate in candidates(anchors[index], sizes[index]) {
        let box = moved(candidate, inside)
        var badness = 0.0
        for other in placed { if let other { badness += box.overlap(other) } }
        for mark in marks { badness += box.overlap(mark) }
        for line in lines { badness += 0.2 * box.overlap(line) }
        if badness < (best?.badness ?? .infinity) { best = (box, badness) }
        if badness == 0 { break }
      }
      placed[index] = best?.box
    }
    return placed.map { $0 ?? Box(x: inside.x, y: inside.y, width: 0, height: 0) }
  }

  private static func candidates(
    _ anchor: (x: Double, y: Double), _ size: (width: Double, height: Double)
  ) -> [Box] {
    let (w, h) = (size.width, size.height)
    var boxes: [Box] = []
    for distance in stride(from: 0.0, through: 320, by: 10) {
      let gap = 11 + distance
      for (dx, dy) in [
        (gap, -h / 2), (-gap - w, -h / 2), (-w / 2, -gap - h + 2), (-w / 2, gap - 2),
        (gap * 0.8, -gap * 0.8 - h + 4), (gap * 0.8, gap * 0.8 - 4),
        (-gap * 0.8 - w, -gap * 0.8 - h + 4), (-gap * 0.8 - w, gap * 0.8 - 4),
      ] {
        boxes.append(Box(x: anchor.x + dx, y: anchor.y + dy, width: w, height: h))
      }
    }
    return boxes
  }

  private static func moved(_ box: Box, _ inside: Box) -> Box {
    var box = box
    box.x = max(inside.x, min(box.x, inside.x + inside.width - box.width))
    box.y = max(inside.y, min(box.y, inside.y + inside.height - box.height))
    return box
  }
}
