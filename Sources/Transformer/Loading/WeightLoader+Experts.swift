import Kernels

extension WeightLoader {
  /// The routed experts of a layer, from the names that GGUF files have for them: one tensor for
  /// all experts (`ffn_gate_exps`), one for gate and up (`ffn_gate_up_exps`), or one an expert in older
  /// files (`ffn_gate.3`); with biases, where there are any.
  func experts(
    prefix: String, count: Int, width: Int, inner: Int, areGated: Bool = true
  ) throws(ModelError) -> [Expert] {
    let both = prefix + "ffn_gate_up_exps.weight"
    let gates: [Projection]?
    let ups: [Projection]
    if areGated, contains(both) {
      func part(_ rows: Range<Int>) throws(ModelError) -> [Projection] {
        try matrices(both, count: count, outputs: 2 * inner, inputs: width, rows: rows).map {
          Projection(matrix: $0, bias: nil)
        }
      }
      (gates, ups) = (try part(0..<inner), try part(inner..<2 * inner))
    } else {
      gates =
        areGated
        ? try expertMaps(prefix + "ffn_gate", count: count, outputs: inner, inputs: width) : nil
      ups = try expertMaps(prefix + "ffn_up", count: count, outputs: inner, inputs: width)
    }
    let downs = try expertMaps(prefix + "ffn_down", count: count, outputs: width, inputs: inner)
    return (0..<count).map { Expert(gate: gates?[$0], up: ups[$0], down: downs[$0]) }
  }

  /// The expert that every row passes through, with its own gate if the file has one.
  func sharedExpert(
    prefix: String, width: Int, inner: Int, isGated: Bool = true
  ) throws(ModelError) -> SharedExpert {
    let expert = Expert(
      gate: isGated
        ? try projection(prefix + "ffn_gate_shexp", outputs: inner, inputs: width) : nil,
      up: try projection(prefix + "ffn_up_shexp", outputs: inner, inputs: width),
      down: try projection(prefix + "ffn_down_shexp", outputs: width, inputs: inner))
    let name = prefix + "ffn_gate_inp_shexp.weight"
    guard contains(name) else { return SharedExpert(expert: expert, inputGate: nil) }
    // Converters write it as a vector, or as a matrix of one row.
    let isMatrix = try shape(of: name).count == 2
    return SharedExpert(
      expert: expert,
      inputGate: isMatrix
        ? try floatMatrix(name, rows: 1, width: width) : try vector(name, count: width))
  }

  private func expertMaps(
    _ prefix: String, count: Int, outputs: Int, inputs: Int
  ) throws(ModelError) -> [Projection] {
    let merged = prefix + "_exps"
    guard !contains(merged + ".weight"), contains(prefix + ".0.weight") else {
      let matrices = try matrices(
        merged + ".weight", count: count, outputs: outputs, inputs: inputs)
      let biases =
        contains(merged + ".bias")
        ? try rows(of: floatMatrix(merged + ".bias", rows: count, width: outputs)) : nil
      return matrices.indices.map { Projection(matrix: matrices[$0], bias: biases?[$0]) }
    }
    var maps: [Projection] = []
    for index in 0..<count {
      maps.append(
        try projection("\(prefix).\(index)", outputs: outputs, inputs: inputs))
    }
    return maps
  }

  /// Each row as a buffer of its own.
  private func rows(of matrix: FloatBuffer) throws(ModelError) -> [FloatBuffer] {
    var rows: [FloatBuffer] = []
    for index in 0..<matrix.rows {
      do {
        let row = try FloatBuffer(rows: 1, width: matrix.width)
        row.pointer.update(from: matrix.row(index), count: matrix.width)
        rows.append(row)
      } catch {
        throw .outOfMemory(bytes: 4 * matrix.width)
      }
    }
    return rows
  }
}
