import Kernels
import ModelFiles

/// Reads a model's tensors: checks that each is there and has the right shape, and turns it into
/// what the kernels want.
package struct WeightLoader: Sendable {
  private let source: any TensorSource
  /// How the matrices will be multiplied.
  package let precision: WeightMatrix.Precision
  private let pool: ComputePool
  /// Where routed experts are packed to.
  private let expertStorage: WeightStorage

  package init(
    source: any TensorSource, precision: WeightMatrix.Precision, pool: ComputePool,
    expertStorage: WeightStorage = .memory
  ) {
    self.source = source
    self.precision = precision
    self.pool = pool
    self.expertStorage = expertStorage
  }

  /// Whether the file has a tensor of this name, of whatever type.
  package func contains(_ name: String) -> Bool {
    do { return try source.tensor(named: name) != nil } catch { return true }
  }

  /// The shape of a tensor, outermost dimension first.
  package func shape(of name: String) throws(ModelError) -> [Int] {
    try view(name).info.shape
  }

  /// A matrix. // (outputs, inputs)
  package func matrix(
    _ name: String, outputs: Int, inputs: Int
  ) throws(ModelError) -> WeightMatrix {
    let view = try view(name, shape: [outputs, inputs])
    let matrix = try pack(view, bytes: view.bytes, name: name, outputs: outputs, inputs: inputs) {
      // It is copied into the kernels' own layout: nobody reads the file's pages again.
      view.dropPages($0)
    }
    return matrix
  }

  /// The matrices of `count` experts that one tensor holds. // (count, outputs, inputs)
  /// - Parameter rows: A part of each matrix; nil for all of it.
  package func matrices(
    _ name: String, count: Int, outputs: Int, inputs: Int, rows: Range<Int>? = nil
  ) throws(ModelError) -> [WeightMatrix] {
    let view = try view(name, shape: [count, outputs, inputs])
    let bytes = view.bytes
    guard count > 0, outputs > 0, bytes.count.isMultiple(of: count * outputs) else {
      throw .unreadableTensor(name, reason: "\(bytes.count) bytes for \(count) experts")
    }
    let rowBytes = bytes.count / count / outputs
    let rows = rows ?? 0..<outputs
    var matrices: [WeightMatrix] = []
    for index in 0..<count {
      let start = (index * outputs + rows.lowerBound) * rowBytes
      let slice = UnsafeRawBufferPointer(
        rebasing: bytes[start..<start + rows.count * rowBytes])
      matrices.append(
        try pack(
          view, bytes: slice, name: "\(name) (expert \(index))", outputs: rows.count,
          inputs: inputs, storage: expertStorage
        ) { view.dropPages(start + $0.lowerBound..<start + $0.upperBound) })
    }
    return matrices
  }

  func pack(
    _ view: TensorView, bytes: UnsafeRawBufferPointer, name: String, outputs: Int, inputs: Int,
    storage: WeightStorage = .memory, release: @escaping (Range<Int>) -> Void
  ) throws(ModelError) -> WeightMatrix {
    do {
      return try pool.withTurn { threads throws(KernelError) in
        try WeightMatrix(
          outputs: outputs, inputs: inputs, elementType: view.info.elementType,
          bytes: bytes, precision: precision, storage: storage, pool: threads, release: release)
      }
    } catch {
      throw .unreadableTensor(name, reason: "\(error)")
    }
  }

  /// A vector, as floats. // (count)
  package func vector(_ name: String, count: Int) throws(ModelError) -> FloatBuffer {
    try floats(name, shape: [count], rows: 1, width: count)
  }

  /// The weights of a norm that has none. // (count)
  func ones(count: Int) throws(ModelError) -> FloatBuffer {
    do {
      let buffer = try FloatBuffer(rows: 1, width: count)
      buffer.pointer.update(repeating: 1, count: count)
      return buffer
    } catch {
      throw .outOfMemory(bytes: 4 * count)
    }
  }

  /// A matrix as floats, for what is not multiplied by the fast kernels. // (rows, width)
  package func floatMatrix(
    _ name: String, rows: Int, width: Int
  ) throws(ModelError) -> FloatBuffer {
    try floats(name, shape: [rows, width], rows: rows, width: width)
  }

  private func floats(
    _ name: String, shape: [Int], rows: Int, width: Int
  ) throws(ModelError) -> FloatBuffer {
    let view = try view(name, shape: shape)
    do {
      let count = view.info.elementCount
      let values = try dequantize(view.info.elementType, view.bytes, count: count)
      let buffer = try FloatBuffer(rows: rows, width: width)
      values.withUnsafeBufferPointer { values in
        if let base = values.baseAddress { buffer.pointer.update(from: base, count: count) }
      }
      return buffer
    } catch {
      throw .unreadableTensor(name, reason: "\(error)")
    }
  }

  /// A whole tensor, as floats, in the order of the file.
  package func floats(_ name: String, shape: [Int]) throws(ModelError) -> [Float] {
    let view = try view(name, shape: shape)
    do {
      return try dequantize(view.info.elementType, view.bytes, count: view.info.elementCount)
    } catch {
      throw .unreadableTensor(name, reason: "\(error)")
    }
  }

  /// A vector, as floats, or nil if the file has none of that name. A matrix of one row is one too (Ernie 4.5).
  func optionalFloats(_ name: String, count: Int) throws(ModelError) -> [Float]? {
    guard contains(name) else { return nil }
    return try floats(name, shape: shape(of: name) == [1, count] ? [1, count] : [count])
  }

  /// A vector of finite numbers, as floats. // (count)
  /// - Parameter mayBeMatrix: Whether the file may have it in several dimensions.
  func finiteVector(
    _ name: String, count: Int, mayBeMatrix: Bool = false
  ) throws(ModelError) -> FloatBuffer {
    let shape = mayBeMatrix ? try shape(of: name) : [count]
    // No product of what a file has in memory overflows.
    guard shape.reduce(1, *) == count else {
      throw .wrongShape(tensor: name, shape: shape, expected: [count])
    }
    let buffer = try floats(name, shape: shape, rows: 1, width: count)
    for index in 0..<count where !buffer.pointer[index].isFinite {
      throw .unreadableTensor(name, reason: "element \(index) is \(buffer.pointer[index])")
    }
    return buffer
  }

  /// A matrix of few outputs that is multiplied as floats, whatever the model's precision: what it gives is where rounding
  /// would do most harm. // (outputs, inputs)
  func preciseMatrix(
    _ name: String, outputs: Int, inputs: Int
  ) throws(ModelError) -> WeightMatrix {
    try matrix(
      name, floats: floats(name, shape: [outputs, inputs]), outputs: outputs, inputs: inputs,
      precision: .float)
  }

  /// The same of some rows of a larger matrix. // (rows, inputs)
  func preciseMatrix(
    _ name: String, rows: Range<Int>, of total: Int, inputs: Int
  ) throws(ModelError) -> WeightMatrix {
    let view = try view(name, shape: [total, inputs])
    guard total > 0, view.bytes.count.isMultiple(of: total) else {
      throw .unreadableTensor(name, reason: "\(view.bytes.count) bytes for \(total) outputs")
    }
    let size = view.bytes.count / total
    let part = UnsafeRawBufferPointer(
      rebasing: view.bytes[rows.lowerBound * size..<rows.upperBound * size])
    let values: [Float]
    do {
      values = try dequantize(view.info.elementType, part, count: rows.count * inputs)
    } catch {
      throw .unreadableTensor(name, reason: "\(error)")
    }
    return try matrix(
      name, floats: values, outputs: rows.count, inputs: inputs, precision: .float)
  }

  /// A matrix that was put together in memory; `name` is for messages. // (outputs, inputs)
  /// - Parameter precision: nil for the model's.
  package func matrix(
    _ name: String, floats: [Float], outputs: Int, inputs: Int,
    precision: WeightMatrix.Precision? = nil
  ) throws(ModelError) -> WeightMatrix {
    do {
      return try floats.withUnsafeBytes { bytes throws(KernelError) in
        try pool.withTurn { threads throws(KernelError) in
          try WeightMatrix(
            outputs: outputs, inputs: inputs, elementType: .f32, bytes: bytes,
            precision: precision ?? self.precision, pool: threads)
        }
      }
    } catch {
      throw .unreadableTensor(name, reason: "\(error)")
    }
  }

  /// A linear map `prefix.weight`, with `prefix.bias` if the file has one.
  package func projection(
    _ prefix: String, outputs: Int, inputs: Int
  ) throws(ModelError) -> Projection {
    Projection(
      matrix: try matrix(prefix + ".weight", outputs: outputs, inputs: inputs),
      bias: contains(prefix + ".bias") ? try vector(prefix + ".bias", count: outputs) : nil)
  }

  /// Linear maps that one tensor `prefix.weight` holds, and one `prefix.bias` if the file has it: the
  /// first one's outputs come first.
  package func projections(
    _ prefix: String, outputs: [Int], inputs: Int
  ) throws(ModelError) -> [Projection] {
    let total = outputs.reduce(0, +)
    var projections: [Projection] = []
    var first = 0
    for count in outputs {
      projections.append(
        try projection(prefix, rows: first..<first + count, of: total, inputs: inputs))
      first += count
    }
    return projections
  }

  /// One of the linear maps that `prefix.weight` holds, with its part of `prefix.bias` if the file has it:
  /// these rows of so many.
  func projection(
    _ prefix: String, rows: Range<Int>, of total: Int, inputs: Int
  ) throws(ModelError) -> Projection {
    let name = prefix + ".weight"
    let view = try view(name, shape: [total, inputs])
    let bytes = view.bytes
    guard total > 0, bytes.count.isMultiple(of: total) else {
      throw .unreadableTensor(name, reason: "\(bytes.count) bytes for \(total) outputs")
    }
    let rowBytes = bytes.count / total
    let start = rows.lowerBound * rowBytes
    let part = UnsafeRawBufferPointer(rebasing: bytes[start..<rows.upperBound * rowBytes])
    let matrix = try pack(view, bytes: part, name: name, outputs: rows.count, inputs: inputs) {
      view.dropPages(start + $0.lowerBound..<start + $0.upperBound)
    }
    guard contains(prefix + ".bias") else { return Projection(matrix: matrix, bias: nil) }
    let biases = try floats(prefix + ".bias", shape: [total])
    return Projection(matrix: matrix, bias: try buffer(prefix + ".bias", biases[rows]))
  }

  private func buffer(
    _ name: String, _ values: ArraySlice<Float>
  ) throws(ModelError) -> FloatBuffer {
    do {
      let buffer = try FloatBuffer(rows: 1, width: values.count)
      for (index, value) in values.enumerated() { buffer.pointer[index] = value }
      return buffer
    } catch {
      throw .unreadableTensor(name, reason: "\(error)")
    }
  }

  /// Linear maps `prefix.weight`, with `prefix.bias` if the file has one, as one map in rotated int8: the
  /// first one's outputs come first. `outputs` are of each.
  func rotatedProjection(
    _ prefixes: [String], outputs: Int, shape: RotatedShape, arena: WeightArena
  ) throws(ModelError) -> RotatedProjection {
    let bias: FloatBuffer
    var parts: [FloatBuffer] = []
    do {
      bias = try FloatBuffer(rows: 1, width: prefixes.count * outputs)
    } catch {
      throw .unreadableTensor(prefixes.first ?? "", reason: "\(error)")
    }
    for (index, prefix) in prefixes.enumerated() {
      let name = prefix + ".weight"
      parts.append(try floatMatrix(name, rows: outputs, width: shape.width))
      let view = try view(name)
      // It is copied into the kernels' own layout: nobody reads the file's pages again.
      view.dropPages(0..<view.bytes.count)
      if contains(prefix + ".bias") {
        let values = try vector(prefix + ".bias", count: outputs)
        (bias.pointer + index * outputs).update(from: values.pointer, count: outputs)
      }
    }
    do {
      let matrix = try pool.withTurn { threads throws(KernelError) in
        try RotatedMatrix(parts, shape: shape, arena: arena, pool: threads)
      }
      return RotatedProjection(matrix: matrix, bias: bias)
    } catch {
      throw .unreadableTensor(prefixes.first ?? "", reason: "\(error)")
    }
  }

  /// A table whose rows are looked up, whole or in parts of so many columns. // (rows, width)
  func embeddings(
    _ name: String, rows: Int, width: Int, part: Int? = nil
  ) throws(ModelError) -> EmbeddingTable {
    try EmbeddingTable(try view(name), name: name, rows: rows, width: width, part: part)
  }

  func view(_ name: String, shape: [Int]? = nil) throws(ModelError) -> TensorView {
    let found: TensorView?
    do {
      found = try source.tensor(named: name)
    } catch {
      throw .unreadableTensor(name, reason: "\(error)")
    }
    guard let found else { throw .missingTensor(name) }
    if let shape, found.info.shape != shape {
      throw .wrongShape(tensor: name, shape: found.info.shape, expected: shape)
    }
    return found
  }
}
