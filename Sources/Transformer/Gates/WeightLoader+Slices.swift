import Kernels
import ModelFiles

extension WeightLoader {
  /// A layer's dense block as `count` experts of `inner` each: equal slices of its inner width.
  func slices(
    prefix: String, count: Int, width: Int, inner: Int
  ) throws(ModelError) -> [Expert] {
    let slices = try FeedForwardSlices(innerWidth: count * inner, count: count)
    // Every slice that is on would add it once more.
    if contains(prefix + "ffn_down.bias") {
      throw .unsupported(key: "feed_forward_slices", value: "a model with \(prefix)ffn_down.bias")
    }
    let biases = (
      gate: try bias(prefix + "ffn_gate.bias", slices), up: try bias(prefix + "ffn_up.bias", slices)
    )
    var experts: [Expert] = []
    for slice in 0..<count {
      experts.append(
        Expert(
          gate: try rows(
            prefix + "ffn_gate.weight", slices, width: width, slice: slice,
            bias: biases.gate?[slice]),
          up: try rows(
            prefix + "ffn_up.weight", slices, width: width, slice: slice, bias: biases.up?[slice]),
          down: try columns(prefix + "ffn_down.weight", slices, width: width, slice: slice)))
    }
    return experts
  }

  /// A bias's share of each slice; nil where the file has none.
  private func bias(
    _ name: String, _ slices: FeedForwardSlices
  ) throws(ModelError) -> [FloatBuffer]? {
    guard contains(name) else { return nil }
    let inner = slices.innerWidth / slices.count
    let whole = try vector(name, count: slices.innerWidth)
    var parts: [FloatBuffer] = []
    for slice in 0..<slices.count {
      do {
        let part = try FloatBuffer(rows: 1, width: inner)
        part.pointer.update(from: whole.pointer + slice * inner, count: inner)
        parts.append(part)
      } catch {
        throw .invalidValue(key: name, value: "\(error)", expected: "memory for it")
      }
    }
    return parts
  }

  private func rows(
    _ name: String, _ slices: FeedForwardSlices, width: Int, slice: Int, bias: FloatBuffer?
  ) throws(ModelError) -> Projection {
    let view = try view(name, shape: [slices.innerWidth, width])
    let bytes = try slices.rows(
      of: view.bytes, elementType: view.info.elementType, inputs: width, slice: slice)
    let matrix = try pack(
      view, bytes: bytes, name: name, outputs: slices.innerWidth / slices.count, inputs: width
    ) { _ in }
    return Projection(matrix: matrix, bias: bias)
  }

  private func columns(
    _ name: String, _ slices: FeedForwardSlices, width: Int, slice: Int
  ) throws(ModelError) -> Projection {
    let view = try view(name, shape: [width, slices.innerWidth])
    let bytes = try slices.columns(
      of: view.bytes, elementType: view.info.elementType, outputs: width, slice: slice)
    // `withUnsafeBytes` would widen the error's type.
    let matrix = bytes.withUnsafeBytes { bytes in
      Result { () throws(ModelError) in
        try pack(
          view, bytes: bytes, name: name, outputs: width,
          inputs: slices.innerWidth / slices.count
        ) { _ in }
      }
    }
    return Projection(matrix: try matrix.get(), bias: nil)
  }
}
