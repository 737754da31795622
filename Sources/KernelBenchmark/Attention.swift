import Kernels

func benchmarkAttention(_ set: InstructionSet) throws {
  let shapes = [
    (name: "SmolLM2", heads: 9, keyValueHeads: 3, headDim: 64, window: Int?.none),
    (name: "Gemma global", heads: 4, keyValueHeads: 1, headDim: 256, window: nil),
    (name: "Gemma local", heads: 4, keyValueHeads: 1, headDim: 256, window: 512),
  ]
  for shape in shapes {
    for type in [KVLayout.ElementType.f16, .int8] {
      try benchmarkAttention(set, shape, type)
    }
  }
}

private typealias AttentionShape = (
  name: String, heads: Int, keyValueHeads: Int, headDim: Int, window: Int?
)

private func benchmarkAttention(
  _ set: InstructionSet, _ shape: AttentionShape, _ type: KVLayout.ElementType
) throws {
  let layout = try KVLayout(
    keyValueHeads: shape.keyValueHeads, headDim: shape.headDim, elementType: type)
  let attention = try Attention(
    layout: layout, heads: shape.heads, scale: 0.125, slidingWindow: shape.window,
    workers: pool.threadCount, instructionSet: set)
  for (rows, first) in [(1, 127), (1, 511), (1, 2047), (512, 0), (128, 1024)] {
    let total = rows + first
    let pageCount = (total + KVLayout.positions - 1) / KVLayout.positions
    let pages = (0..<pageCount).map { _ in
      UnsafeMutableRawPointer.allocate(byteCount: layout.bytesPerPage, alignment: 64)
    }
    defer { for page in pages { page.deallocate() } }
    let width = shape.heads * shape.headDim
    let queries = try FloatBuffer(rows: rows, width: width)
    for index in 0..<queries.count { queries.pointer[index] = Float(index % 7) * 0.1 }
    for position in 0..<total {
      layout.store(
        keys: queries.pointer, values: queries.pointer,
        page: pages[position / KVLayout.positions], slot: position % KVLayout.positions)
    }
    let output = try Activations(
      maxRows: rows, width: width, precision: .quantized, instructionSet: set)
    let seconds = pages.withUnsafeBufferPointer { pages in
      guard let base = pages.baseAddress else { return 1.0 }
      let spans = [AttentionSpan(firstRow: 0, rowCount: rows, firstPosition: first, pages: base)]
      return spans.withUnsafeBufferPointer { spans in
        best(set == .generic ? 3 : 20) { worker in
          attention.run(
            queries: queries.pointer, stride: width, spans: spans, into: output, worker: worker)
        }
      }
    }
    let seen = (first..<total).reduce(0.0) { sum, position in
      sum + Double(min(position + 1, shape.window ?? .max))
    }
    let operations = 4 * seen * Double(width) / seconds * 1e-9
    show(
      "\(set.name) attention \(shape.name) \(type) \(rows) rows at \(first)",
      number(seconds * 1e6, "us"), number(operations, "GFLOP/s"),
      number(100 * operations / limits.floatGigaOps, "%"))
  }
}
