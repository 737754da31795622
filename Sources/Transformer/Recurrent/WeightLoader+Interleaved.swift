import Kernels

extension WeightLoader {
  /// Two linear maps that one tensor `prefix.weight` holds head by head: `headDim` outputs of the first, then as
  /// many of the second. // (heads * 2 * headDim, inputs)
  func interleavedProjections(
    _ prefix: String, heads: Int, headDim: Int, inputs: Int
  ) throws(ModelError) -> (Projection, Projection) {
    let name = prefix + ".weight"
    let outputs = heads * headDim
    let view = try view(name, shape: [2 * outputs, inputs])
    guard !contains(prefix + ".bias") else {
      throw .unsupported(key: prefix + ".bias", value: "present")
    }
    let size = view.bytes.count / (2 * heads)
    func part(_ first: Int) throws(ModelError) -> Projection {
      var rows: [UInt8] = []
      rows.reserveCapacity(heads * size)
      for head in 0..<heads {
        rows += view.bytes[(2 * head + first) * size..<(2 * head + first + 1) * size]
      }
      let matrix = try rows.withUnsafeBufferPointer { rows throws(ModelError) in
        try pack(
          view, bytes: UnsafeRawBufferPointer(rows), name: name, outputs: outputs, inputs: inputs
        ) { _ in }
      }
      return Projection(matrix: matrix, bias: nil)
    }
    let parts = (try part(0), try part(1))
    view.dropPages(0..<view.bytes.count)
    return parts
  }
}
