import Kernels
import ModelFiles

/// Tensors as GGUF files hold them, made from those of a checkpoint. Whole rows are moved as bytes,
/// so that no number changes.
extension CheckpointFiles {
  /// A tensor put together row by row. `rows` are places of rows in their tensors.
  private func gather(
    _ name: String, shape: [Int], elementType: ElementType, rowBytes: Int,
    rows: [(source: UnsafeRawBufferPointer, row: Int)]
  ) throws(ModelFileError) -> TensorView {
    let (byteCount, overflow) = rows.count.multipliedReportingOverflow(by: rowBytes)
    guard !overflow, !rows.isEmpty, rowBytes > 0 else {
      throw error(name, .invalid(value: "\(shape)", expected: "a shape without zeros"))
    }
    let map = try MemoryMap(path: folder, byteCount: byteCount) { target in
      for (index, place) in rows.enumerated() {
        let start = place.row * rowBytes
        UnsafeMutableRawBufferPointer(rebasing: target[index * rowBytes..<(index + 1) * rowBytes])
          .copyMemory(
            from: UnsafeRawBufferPointer(rebasing: place.source[start..<start + rowBytes]))
      }
    }
    return TensorView(
      info: TensorInfo(
        name: name, shape: shape, elementType: elementType, offset: 0, byteCount: byteCount),
      map: map)
  }

  /// The tensor of that name, or nil. Without a zero in its shape every number of it has its bytes in
  /// the file, so that no other size can be more than the file is long.
  private func filledTensor(named name: String) throws(ModelFileError) -> TensorView? {
    guard let view = try tensor(named: name) else { return nil }
    guard !view.info.shape.contains(0), view.info.byteCount > 0 else {
      throw error(
        name, .invalid(value: "\(view.info.shape)", expected: "a shape without zeros"))
    }
    return view
  }

  /// The tensor's rows, each `rowBytes` long; a vector's rows are its numbers.
  private func rowBytes(_ view: TensorView) throws(ModelFileError) -> Int {
    let rows =
      view.info.shape.count == 1 ? view.info.shape[0] : view.info.shape.dropLast().reduce(1, *)
    guard rows > 0, view.info.byteCount > 0, view.info.byteCount.isMultiple(of: rows) else {
      throw error(
        view.info.name,
        .invalid(value: "\(view.info.shape)", expected: "a shape without zeros"))
    }
    return view.info.byteCount / rows
  }

  /// Rows of queries or keys in the order that GGUF's llama family has them: the two numbers of a
  /// rotary pair beside each other. Works for weights and biases.
  func permuted(_ name: String, heads: Int) throws(ModelFileError) -> TensorView? {
    guard let view = try filledTensor(named: name) else { return nil }
    let outputs = view.info.shape.first ?? 0
    guard heads > 0, outputs > 0, outputs.isMultiple(of: 2 * heads) else {
      throw error(
        name,
        .invalid(value: "\(view.info.shape)", expected: "rows for \(heads) heads of even width"))
    }
    let half = outputs / heads / 2
    let rows = (0..<outputs).map { output in
      let (head, place) = (output / (2 * half), output % (2 * half))
      return (view.bytes, head * 2 * half + place % 2 * half + place / 2)
    }
    return try gather(
      name, shape: view.info.shape, elementType: view.info.elementType,
      rowBytes: rowBytes(view), rows: rows)
  }

  /// Matrices of the same shape as one tensor. // (matrices, rows, columns)
  func stacked(_ names: [String]) throws(ModelFileError) -> TensorView? {
    guard let first = names.first, let model = try filledTensor(named: first) else { return nil }
    var views: [TensorView] = []
    for name in names {
      let view = try requiredTensor(named: name)
      guard view.info.shape == model.info.shape, view.info.elementType == model.info.elementType
      else {
        throw error(
          name, .invalid(value: "\(view.info.shape)", expected: "\(model.info.shape), as \(first)"))
      }
      views.append(view)
    }
    return try gather(
      first, shape: [names.count] + model.info.shape, elementType: model.info.elementType,
      rowBytes: model.info.byteCount, rows: views.map { ($0.bytes, 0) })
  }

  /// Every `step`th row from `first` on, `count` of them, of each matrix of a tensor.
  /// // (matrices, rows, ...) to (matrices, count, ...)
  func rows(
    of name: String, first: (Int) -> Int, step: Int = 1, count: (Int) -> Int
  ) throws(ModelFileError) -> TensorView? {
    guard let view = try filledTensor(named: name) else { return nil }
    let shape = view.info.shape
    guard shape.count >= 2 else {
      throw error(name, .invalid(value: "\(shape)", expected: "two or more dimensions"))
    }
    let (matrices, rows) = (shape[0], shape[1])
    let (start, kept) = (first(rows), count(rows))
    guard matrices > 0, kept > 0, start >= 0, start + (kept - 1) * step < rows,
      view.info.byteCount.isMultiple(of: matrices * rows)
    else {
      throw error(name, .invalid(value: "\(shape)", expected: "gate and up in one tensor"))
    }
    let places = (0..<matrices).flatMap { matrix in
      (0..<kept).map { (view.bytes, matrix * rows + start + $0 * step) }
    }
    return try gather(
      name, shape: [matrices, kept] + shape.dropFirst(2), elementType: view.info.elementType,
      rowBytes: view.info.byteCount / (matrices * rows), rows: places)
  }

  /// The first or second half of a matrix's rows. // (rows, columns) to (rows / 2, columns)
  func half(of name: String, second: Bool) throws(ModelFileError) -> TensorView? {
    guard let view = try filledTensor(named: name) else { return nil }
    let shape = view.info.shape
    guard shape.count == 2, shape[0].isMultiple(of: 2) else {
      throw error(name, .invalid(value: "\(shape)", expected: "gate and up in one tensor"))
    }
    let kept = shape[0] / 2
    let start = second ? kept : 0
    return try gather(
      name, shape: [kept, shape[1]], elementType: view.info.elementType,
      rowBytes: rowBytes(view), rows: (start..<start + kept).map { (view.bytes, $0) })
  }

  /// Each matrix of a tensor the other way round, and of its rows then every `step`th from `first`.
  /// // (matrices, inputs, outputs) to (matrices, outputs / step, inputs)
  func transposed(
    _ name: String, first: Int = 0, step: Int = 1
  ) throws(ModelFileError) -> TensorView? {
    guard let view = try filledTensor(named: name) else { return nil }
    let shape = view.info.shape
    guard shape.count == 3, shape[2].isMultiple(of: step) else {
      throw error(name, .invalid(value: "\(shape)", expected: "three dimensions"))
    }
    let size = view.info.elementType.bytesPerBlock
    let (matrices, inputs, outputs) = (shape[0], shape[1], shape[2])
    let kept = outputs / step
    let source = view.bytes
    let map = try MemoryMap(path: folder, byteCount: view.info.byteCount / step) { target in
      guard let to = target.baseAddress, let from = source.baseAddress else { return }
      for matrix in 0..<matrices {
        for output in 0..<kept {
          for input in 0..<inputs {
            let place = (matrix * inputs + input) * outputs + first + output * step
            let index = (matrix * kept + output) * inputs + input
            (to + index * size).copyMemory(from: from + place * size, byteCount: size)
          }
        }
      }
    }
    return TensorView(
      info: TensorInfo(
        name: name, shape: [matrices, kept, inputs], elementType: view.info.elementType,
        offset: 0, byteCount: map.count),
      map: map)
  }

  /// Numbers that stand in the configuration, as a vector of floats.
  func vector(_ name: String, _ values: [Double]) throws(ModelFileError) -> TensorView {
    let map = try MemoryMap(path: folder, byteCount: 4 * values.count) { target in
      for (index, value) in values.enumerated() {
        target.storeBytes(of: Float(value), toByteOffset: 4 * index, as: Float.self)
      }
    }
    return TensorView(
      info: TensorInfo(
        name: name, shape: [values.count], elementType: .f32, offset: 0, byteCount: map.count),
      map: map)
  }

  /// A vector of norm weights plus 1, as floats.
  func plusOne(_ name: String) throws(ModelFileError) -> TensorView? {
    try changed(name) { $0 + 1 }
  }

  /// A tensor's numbers, each changed, as floats.
  func changed(
    _ name: String, shape: [Int]? = nil, _ change: (Float) -> Float = { $0 }
  ) throws(ModelFileError) -> TensorView? {
    guard let view = try tensor(named: name) else { return nil }
    let values: [Float]
    do {
      values = try dequantize(
        view.info.elementType, view.bytes, count: view.info.elementCount)
    } catch {
      throw self.error(name, .invalid(value: "\(error)", expected: "floats"))
    }
    let map = try MemoryMap(path: folder, byteCount: 4 * values.count) { target in
      for (index, value) in values.enumerated() {
        target.storeBytes(of: change(value), toByteOffset: 4 * index, as: Float.self)
      }
    }
    return TensorView(
      info: TensorInfo(
        name: name, shape: shape ?? view.info.shape, elementType: .f32, offset: 0,
        byteCount: map.count),
      map: map)
  }

  /// The weights of a convolution of each channel by itself, as floats. // (channels, 1, taps) to (channels, taps)
  func convolution(_ name: String) throws(ModelFileError) -> TensorView? {
    guard let view = try tensor(named: name) else { return nil }
    return try changed(name, shape: view.info.shape.filter { $0 != 1 })
  }

  /// MXFP4 experts as gpt-oss's checkpoints have them, in GGUF's blocks; of each expert's rows
  /// every `step`th from `first` on.
  ///
  /// A checkpoint keeps exponents apart, in `name_scales` // (experts, rows, blocks), and in
  /// `name_blocks` // (experts, rows, blocks, 16) neighbours share a byte. GGUF has the exponent
  /// before each block, whose byte i holds elements i and i + 16.
  func mxfp4(
    _ name: String, first: Int = 0, step: Int = 1
  ) throws(ModelFileError) -> TensorView? {
    guard contains(name + "_blocks") else { return nil }
    let (shape, codes) = try requiredBytes(named: name + "_blocks")
    let (scaleShape, scales) = try requiredBytes(named: name + "_scales")
    guard shape.count == 4, shape[3] == 16, scaleShape == Array(shape.dropLast()),
      !shape.contains(0), shape[1].isMultiple(of: step)
    else {
      throw error(
        name + "_blocks",
        .invalid(value: "\(shape) with \(scaleShape)", expected: "(experts, rows, blocks, 16)"))
    }
    let (experts, rows, blocks) = (shape[0], shape[1], shape[2])
    let kept = rows / step
    let size = ElementType.mxfp4.bytesPerBlock
    let map = try MemoryMap(path: folder, byteCount: experts * kept * blocks * size) { target in
      var index = 0
      for expert in 0..<experts {
        for row in 0..<kept {
          let start = (expert * rows + first + row * step) * blocks
          for block in start..<start + blocks {
            target[index] = scales[block]
            let source = UnsafeRawBufferPointer(rebasing: codes[16 * block..<16 * block + 16])
            for place in 0..<16 {
              // Element `place` is in the lower half of the result, `place + 16` in the upper.
              let low = source[place / 2] >> (place % 2 == 0 ? 0 : 4) & 15
              let high = source[8 + place / 2] >> (place % 2 == 0 ? 0 : 4) & 15
              target[index + 1 + place] = low | high << 4
            }
            index += size
          }
        }
      }
    }
    return TensorView(
      info: TensorInfo(
        name: name, shape: [experts, kept, 32 * blocks], elementType: .mxfp4, offset: 0,
        byteCount: map.count),
      map: map)
  }
}
