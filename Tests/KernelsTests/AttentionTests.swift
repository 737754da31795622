import Foundation
import Kernels
import Testing

@Suite struct AttentionTests {
  struct Case: Sendable, CustomStringConvertible {
    var set: InstructionSet
    var heads = 6
    var keyValueHeads = 2
    var headDim = 64
    var valueDim: Int?
    var sinks = false
    var elementType = KVLayout.ElementType.f16
    var window: Int?
    var softcap: Float?
    var spans: [(rows: Int, position: Int)]
    /// Positions of which those in a span see each other, as rows of an image do.
    var image: Range<Int>?

    /// The position behind the last one that a row of a span sees.
    func end(_ position: Int, of span: (rows: Int, position: Int)) -> Int {
      guard let image, image.contains(position) else { return position + 1 }
      return min(image.upperBound, span.position + span.rows)
    }

    var description: String {
      "\(set.name) \(heads)/\(keyValueHeads)x\(headDim),\(valueDim ?? headDim) \(elementType) "
        + "\(window ?? 0) \(sinks) \(spans) \(image ?? 0..<0)"
    }
  }

  static let cases: [Case] = InstructionSet.available.flatMap { set in
    [
      Case(set: set, spans: [(1, 0)]),
      Case(set: set, heads: 9, keyValueHeads: 3, spans: [(1, 63), (70, 0), (3, 130)]),
      Case(set: set, heads: 4, keyValueHeads: 1, headDim: 256, spans: [(33, 40), (1, 200)]),
      Case(set: set, heads: 4, keyValueHeads: 1, headDim: 256, window: 70, spans: [(150, 0)]),
      Case(set: set, headDim: 8, elementType: .f32, window: 1, spans: [(9, 60)]),
      Case(set: set, headDim: 72, softcap: 5, spans: [(20, 55)]),
      Case(set: set, headDim: 40, elementType: .f32, softcap: 2, spans: [(20, 55)]),
      Case(set: set, headDim: 32, elementType: .f32, spans: [(130, 0)]),
      Case(set: set, sinks: true, spans: [(1, 0), (70, 0), (3, 130)]),
      Case(set: set, headDim: 40, sinks: true, elementType: .f32, window: 20, spans: [(90, 50)]),
      Case(set: set, keyValueHeads: 6, headDim: 192, valueDim: 128, spans: [(1, 129), (20, 55)]),
      Case(
        set: set, keyValueHeads: 1, headDim: 24, valueDim: 40, elementType: .f32,
        spans: [(70, 0)]),
      // Few rows of long sequences, which workers share by positions.
      Case(set: set, heads: 9, keyValueHeads: 3, spans: [(1, 700)]),
      Case(
        set: set, heads: 9, keyValueHeads: 3, sinks: true, window: 300, spans: [(2, 900), (1, 3)]),
      Case(
        set: set, heads: 4, keyValueHeads: 1, headDim: 256, spans: [(3, 520), (1, 127), (1, 128)]),
      Case(set: set, headDim: 40, elementType: .f32, softcap: 2, spans: [(1, 300)]),
      Case(set: set, keyValueHeads: 6, headDim: 192, valueDim: 128, spans: [(1, 400)]),
      Case(set: set, heads: 64, keyValueHeads: 1, headDim: 32, window: 129, spans: [(1, 600)]),
      // Images: whole, of which the first rows came before, and two sequences with them.
      Case(set: set, spans: [(150, 0)], image: 20..<90),
      Case(set: set, heads: 9, keyValueHeads: 3, spans: [(70, 60)], image: 40..<125),
      Case(
        set: set, heads: 4, keyValueHeads: 1, headDim: 256, window: 30,
        spans: [(100, 300), (90, 310)],
        image: 320..<360),
      Case(set: set, sinks: true, window: 100, spans: [(1, 319), (4, 700)], image: 701..<703),
      Case(set: set, headDim: 40, elementType: .f32, softcap: 2, spans: [(80, 0)], image: 0..<80),
      Case(set: set, elementType: .int8, spans: [(150, 10)], image: 20..<90),
      // Bytes: every number of rows of a tile, widths of all kinds, parts of pages.
      Case(set: set, elementType: .int8, spans: [(1, 0), (2, 62)]),
      Case(
        set: set, heads: 9, keyValueHeads: 3, elementType: .int8,
        spans: [(1, 63), (70, 0), (3, 130)]),
      Case(set: set, heads: 5, keyValueHeads: 1, elementType: .int8, spans: [(1, 200), (21, 300)]),
      Case(
        set: set, heads: 4, keyValueHeads: 1, headDim: 256, elementType: .int8, window: 70,
        spans: [(150, 0), (1, 200)]),
      Case(set: set, headDim: 8, elementType: .int8, window: 1, spans: [(9, 60)]),
      Case(set: set, headDim: 72, elementType: .int8, softcap: 5, spans: [(20, 55), (1, 300)]),
      Case(
        set: set, headDim: 40, sinks: true, elementType: .int8, window: 20, spans: [(90, 50)]),
      Case(
        set: set, keyValueHeads: 6, headDim: 192, valueDim: 128, elementType: .int8,
        spans: [(1, 400), (20, 55)]),
      Case(
        set: set, keyValueHeads: 1, headDim: 24, valueDim: 40, elementType: .int8,
        spans: [(70, 0)]),
      Case(
        set: set, heads: 64, keyValueHeads: 1, headDim: 32, elementType: .int8, window: 129,
        spans: [(1, 600)]),
    ]
  }

  /// A sequence's keys and values, with pages that hold NaN where nothing was stored.
  private final class Sequence {
    let keys: [[Float]]
    let values: [[Float]]
    var pages: [UnsafeMutableRawPointer] = []

    init(_ layout: KVLayout, positions: Int, random: inout Random) {
      let width = layout.keyValueHeads * layout.headDim
      let valueWidth = layout.keyValueHeads * layout.valueDim
      var keys: [[Float]] = []
      var values: [[Float]] = []
      for position in 0..<positions {
        if position % KVLayout.positions == 0 {
          let page = UnsafeMutableRawPointer.allocate(
            byteCount: layout.bytesPerPage, alignment: 64)
          memset(page, 0xff, layout.bytesPerPage)
          pages.append(page)
        }
        let key = random.floats(width, scale: 2)
        let value = random.floats(valueWidth)
        layout.store(
          keys: key, values: value, page: pages[pages.count - 1],
          slot: position % KVLayout.positions)
        // As stored.
        switch layout.elementType {
        case .f32:
          keys.append(key)
          values.append(value)
        case .f16:
          keys.append(key.map { Float(Float16($0)) })
          values.append(value.map { Float(Float16($0)) })
        case .int8:
          keys.append(Self.bytes(key, width: layout.headDim, turned: true))
          values.append(Self.bytes(value, width: layout.valueDim, turned: false))
        }
      }
      self.keys = keys
      self.values = values
    }
    deinit { for page in pages { page.deallocate() } }

    /// Each head's numbers as bytes give them back: a scale a head, the upper half of a float; keys after a Hadamard
    /// transform and its inverse.
    private static func bytes(_ x: [Float], width: Int, turned: Bool) -> [Float] {
      var result: [Float] = []
      for start in stride(from: 0, to: x.count, by: width) {
        var head = Array(x[start..<start + width])
        if turned { transform(&head) }
        let largest = head.reduce(0) { max($0, abs($1)) }
        let bits = (largest * (1 / Float(127))).bitPattern
        let scale = Float(bitPattern: ((bits + 0xffff) >> 16) << 16)
        let inverse = 1 / scale
        head = head.map { ($0 * inverse).rounded(.toNearestOrEven) * scale }
        if turned {
          transform(&head)
          head = head.map { $0 / Float(width & -width) }
        }
        result += head
      }
      return result
    }

    /// Hadamard's, of runs as long as the largest power of two that divides the width.
    private static func transform(_ x: inout [Float]) {
      var half = 1
      while half < x.count & -x.count {
        for index in x.indices where index & half == 0 {
          (x[index], x[index + half]) = (x[index] + x[index + half], x[index] - x[index + half])
        }
        half *= 2
      }
    }
  }

  /// Dimensions of keys that are far larger than the others leave these their precision.
  @Test(arguments: InstructionSet.available)
  func largeDimensionsOfKeys(set: InstructionSet) throws {
    var random = Random(31)
    let (headDim, count) = (64, 100)
    let layout = try KVLayout(keyValueHeads: 1, headDim: headDim, elementType: .int8)
    let page = (0..<2).map { _ in
      UnsafeMutableRawPointer.allocate(byteCount: layout.bytesPerPage, alignment: 64)
    }
    defer { for page in page { page.deallocate() } }
    var keys: [[Float]] = []
    let values = (0..<count).map { _ in random.floats(headDim) }
    for position in 0..<count {
      var key = random.floats(headDim)
      key[5] = 50 + random.float()
      keys.append(key)
      layout.store(
        keys: key, values: values[position], page: page[position / 64], slot: position % 64)
    }
    let attention = try Attention(
      layout: layout, heads: 1, scale: 0.5, workers: 1, instructionSet: set)
    let query = try FloatBuffer(rows: 1, width: headDim)
    for index in 0..<headDim { query.pointer[index] = random.float() }
    let output = try Activations(
      maxRows: 1, width: headDim, precision: .float, instructionSet: set)
    page.withUnsafeBufferPointer { pages in
      guard let base = pages.baseAddress else { return }
      let span = AttentionSpan(firstRow: 0, rowCount: 1, firstPosition: count - 1, pages: base)
      withUnsafePointer(to: span) {
        attention.run(
          queries: query.pointer, stride: headDim, spans: UnsafeBufferPointer(start: $0, count: 1),
          into: output, worker: .alone)
      }
    }
    let wanted = definition(
      UnsafeBufferPointer(start: query.pointer, count: headDim),
      Case(set: set, heads: 1, keyValueHeads: 1, elementType: .int8, spans: []), 0.5, keys, values,
      position: count - 1)
    let worst = (0..<headDim).reduce(0.0) {
      max($0, abs(Double(output.floats[0, $1]) - wanted[$1]))
    }
    // One scale for all, without the transform, is off by 0.03 to 0.14.
    #expect(worst < 0.02)
  }

  /// Positions that are stored together, over pages and from any place on, lie as they do when each is
  /// stored alone.
  @Test(
    arguments: [KVLayout.ElementType.f16, .f32, .int8], [(32, 32), (24, 16), (16, 40), (64, 64)])
  func positionsStoredTogether(elementType: KVLayout.ElementType, widths: (Int, Int)) throws {
    var random = Random(12)
    let layout = try KVLayout(
      keyValueHeads: 3, headDim: widths.0, valueDim: widths.1, elementType: elementType)
    let stride = 3 * max(widths.0, widths.1) + 5
    for positions in [0..<1, 0..<64, 3..<40, 60..<150, 17..<33] {
      let keys = random.floats(stride * positions.count, scale: 3)
      let values = random.floats(stride * positions.count, scale: 3)
      let makePages = {
        (0..<3).map { _ in
          UnsafeMutableRawPointer.allocate(byteCount: layout.bytesPerPage, alignment: 64)
        }
      }
      let (together, alone) = (makePages(), makePages())
      defer { for page in together + alone { page.deallocate() } }
      for page in together + alone { memset(page, 0, layout.bytesPerPage) }
      keys.withUnsafeBufferPointer { keys in
        values.withUnsafeBufferPointer { values in
          together.withUnsafeBufferPointer { pages in
            guard let keys = keys.baseAddress, let values = values.baseAddress,
              let pages = pages.baseAddress
            else { return }
            layout.store(
              keys: keys, values: values, stride: stride, pages: pages, positions: positions)
            for (index, position) in positions.enumerated() {
              layout.store(
                keys: keys + index * stride, values: values + index * stride,
                page: alone[position / KVLayout.positions], slot: position % KVLayout.positions)
            }
          }
        }
      }
      for (a, b) in zip(together, alone) { #expect(memcmp(a, b, layout.bytesPerPage) == 0) }
    }
  }

  /// What heads give the positions on average, over one page and several, with and without a window.
  @Test(arguments: [KVLayout.ElementType.f16, .f32, .int8], [0..<1, 0..<64, 0..<131, 70..<131])
  func averageWeights(elementType: KVLayout.ElementType, positions: Range<Int>) throws {
    var random = Random(8)
    let (heads, keyValueHeads, headDim) = (6, 2, 24)
    let layout = try KVLayout(
      keyValueHeads: keyValueHeads, headDim: headDim, valueDim: 16, elementType: elementType)
    let sequence = Sequence(layout, positions: 131, random: &random)
    let query = random.floats(heads * headDim)
    let scratch = try FloatBuffer(
      rows: 1, width: layout.attentionScratchCount(positions: positions.upperBound))
    var weights = [Float](repeating: 7, count: positions.upperBound)
    layout.averageAttention(
      query: query, heads: heads, scale: 0.3, positions: positions, pages: sequence.pages,
      scratch: scratch.pointer, into: &weights)
    var expected = [Double](repeating: 0, count: positions.upperBound)
    for head in 0..<heads {
      let key = head / 3 * headDim
      let scores = positions.map { p in
        0.3
          * (0..<headDim).reduce(0.0) {
            $0 + Double(query[head * headDim + $1]) * Double(sequence.keys[p][key + $1])
          }
      }
      let total = scores.reduce(0) { $0 + exp($1) }
      for (p, score) in zip(positions, scores) { expected[p] += exp(score) / total / 6 }
    }
    for (weight, value) in zip(weights, expected) { #expect(abs(Double(weight) - value) < 1e-5) }
  }

  @Test(arguments: cases)
  func equalsTheDefinition(_ test: Case) throws {
    var random = Random(5)
    let layout = try KVLayout(
      keyValueHeads: test.keyValueHeads, headDim: test.headDim, valueDim: test.valueDim,
      elementType: test.elementType)
    let scale: Float = 1 / Float(test.headDim).squareRoot()
    let attention = try Attention(
      layout: layout, heads: test.heads, scale: scale, slidingWindow: test.window,
      softcap: test.softcap, workers: 2, instructionSet: test.set)
    let width = test.heads * test.headDim
    let rows = test.spans.reduce(0) { $0 + $1.rows }
    let stride = width + 16
    let queries = try FloatBuffer(rows: rows, width: stride)
    for index in 0..<queries.count { queries.pointer[index] = random.float() * 2 }
    let outputWidth = test.heads * layout.valueDim
    let output = try Activations(
      maxRows: rows, width: outputWidth, precision: .float, instructionSet: test.set)
    let alone = try Activations(
      maxRows: rows, width: outputWidth, precision: .float, instructionSet: test.set)
    let sinks = (0..<test.heads).map { _ in random.float() * 4 }
    let sinkBuffer = try FloatBuffer(rows: 1, width: test.heads)
    for (head, sink) in sinks.enumerated() { sinkBuffer.pointer[head] = sink }
    let sinkPointer = test.sinks ? UnsafePointer(sinkBuffer.pointer) : nil
    let sequences = test.spans.map {
      Sequence(layout, positions: $0.position + $0.rows, random: &random)
    }
    let pool = try ThreadPool(threadCount: 2)
    try withSpans(test, sequences) { spans in
      // What workers share must be as the first time.
      for _ in 0..<2 {
        pool.run {
          attention.run(
            queries: queries.pointer, stride: stride, spans: spans, sinks: sinkPointer,
            into: output, worker: $0)
        }
      }
      // Each row by itself, on one thread.
      for span in spans {
        for row in 0..<span.rowCount {
          let single = AttentionSpan(
            firstRow: span.firstRow + row, rowCount: 1, firstPosition: span.firstPosition + row,
            pages: span.pages, ends: span.ends.map { $0 + row })
          withUnsafePointer(to: single) {
            attention.run(
              queries: queries.pointer, stride: stride,
              spans: UnsafeBufferPointer(start: $0, count: 1), sinks: sinkPointer, into: alone,
              worker: .alone)
          }
        }
      }
    }
    var worst = 0.0
    var row = 0
    for (index, span) in test.spans.enumerated() {
      for local in 0..<span.rows {
        let wanted = definition(
          UnsafeBufferPointer(start: queries.row(row), count: width), test, scale,
          sequences[index].keys, sequences[index].values, position: span.position + local,
          end: test.end(span.position + local, of: span),
          sinks: test.sinks ? sinks : nil)
        for k in 0..<outputWidth {
          worst = max(worst, abs(Double(output.floats[row, k]) - wanted[k]))
          if output.floats[row, k] != alone.floats[row, k] {
            Issue.record("row \(row) is not the same alone")
            return
          }
          if output.floats[row, k].isNaN { worst = .infinity }
        }
        row += 1
      }
    }
    // With bytes, queries and weights are rounded to 14 bits.
    #expect(worst < (test.elementType == .int8 ? 1e-3 : 5e-6))
  }

  @Test(arguments: InstructionSet.available)
  func quantizedOutputAndEncoder(set: InstructionSet) throws {
    var random = Random(9)
    let heads = 4, headDim = 32, count = 75
    let width = heads * headDim
    let layout = try KVLayout(keyValueHeads: heads, headDim: headDim, elementType: .f32)
    let sequence = Sequence(layout, positions: count, random: &random)
    let attention = try Attention(
      layout: layout, heads: heads, scale: 0.2, workers: 1, instructionSet: set)
    #expect(attention.fillsQuantized)
    let queries = try FloatBuffer(rows: count, width: width)
    for index in 0..<queries.count { queries.pointer[index] = random.float() }
    // An identity matrix shows what the quantised form holds.
    var identity = [Float](repeating: 0, count: width * width)
    for k in 0..<width { identity[k * width + k] = 1 }
    let out = try FloatBuffer(rows: count, width: width)
    let activations = try Activations(
      maxRows: count, width: width, precision: .quantized, instructionSet: set)
    let matrix = try identity.withUnsafeBytes {
      try WeightMatrix(
        outputs: width, inputs: width, elementType: .f32, bytes: $0, precision: .quantized,
        instructionSet: set)
    }
    sequence.pages.withUnsafeBufferPointer { pages in
      guard let base = pages.baseAddress else { return }
      let spans = [AttentionSpan(firstRow: 0, rowCount: count, firstPosition: 0, pages: base)]
      spans.withUnsafeBufferPointer {
        attention.runBidirectional(
          queries: queries.pointer, stride: width, spans: $0, keyCount: count, into: activations,
          worker: .alone)
      }
    }
    matrix.multiply(
      activations, rows: 0..<count, into: out.pointer, stride: width, worker: .alone)
    let test = Case(
      set: set, heads: heads, keyValueHeads: heads, headDim: headDim, elementType: .f32, spans: [])
    for row in 0..<count {
      let wanted = definition(
        UnsafeBufferPointer(start: queries.row(row), count: width), test, 0.2, sequence.keys,
        sequence.values, position: count - 1)
      for k in 0..<width {
        #expect(abs(Double(out[row, k]) - wanted[k]) < 0.01)
      }
    }
  }

  private func withSpans(
    _ test: Case, _ sequences: [Sequence],
    _ body: (UnsafeBufferPointer<AttentionSpan>) throws -> Void
  ) throws {
    var spans: [AttentionSpan] = []
    var row = 0
    let pages = sequences.map { sequence in
      let copy = UnsafeMutablePointer<UnsafeMutableRawPointer>.allocate(
        capacity: sequence.pages.count)
      copy.initialize(from: sequence.pages, count: sequence.pages.count)
      return copy
    }
    defer { for copy in pages { copy.deallocate() } }
    let ends = test.spans.map { span in
      let ends = UnsafeMutablePointer<Int64>.allocate(capacity: span.rows)
      for row in 0..<span.rows { ends[row] = Int64(test.end(span.position + row, of: span)) }
      return ends
    }
    defer { for copy in ends { copy.deallocate() } }
    for (index, span) in test.spans.enumerated() {
      spans.append(
        AttentionSpan(
          firstRow: row, rowCount: span.rows, firstPosition: span.position, pages: pages[index],
          ends: test.image == nil ? nil : UnsafePointer(ends[index])))
      row += span.rows
    }
    try spans.withUnsafeBufferPointer(body)
  }

  /// Attention of one row as it is written down.
  private func definition(
    _ query: UnsafeBufferPointer<Float>, _ test: Case, _ scale: Float, _ keys: [[Float]],
    _ values: [[Float]], position: Int, end: Int? = nil, sinks: [Float]? = nil
  ) -> [Double] {
    let first = test.window.map { max(0, position + 1 - $0) } ?? 0
    let d = test.headDim
    let dv = test.valueDim ?? d
    var result: [Double] = []
    for head in 0..<test.heads {
      let kvHead = head / (test.heads / test.keyValueHeads)
      let kv = kvHead * d
      let scores = (first..<(end ?? position + 1)).map { p -> Double in
        var s = 0.0
        for k in 0..<d { s += Double(query[head * d + k]) * Double(keys[p][kv + k]) }
        s *= Double(scale)
        if let softcap = test.softcap { s = tanh(s / Double(softcap)) * Double(softcap) }
        return s
      }
      let sink = sinks.map { Double($0[head]) }
      let top = max(scores.max() ?? 0, sink ?? -.infinity)
      let weights = scores.map { exp($0 - top) }
      let total = weights.reduce(0, +) + (sink.map { exp($0 - top) } ?? 0)
      for k in 0..<dv {
        var sum = 0.0
        for (index, weight) in weights.enumerated() {
          sum += weight * Double(values[first + index][kvHead * dv + k])
        }
        result.append(sum / total)
      }
    }
    return result
  }
}
