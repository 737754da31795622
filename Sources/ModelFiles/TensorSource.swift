/// A tensor's description with its bytes in the mapped file. Holds the mapping alive.
package struct TensorView: Sendable {
  package let info: TensorInfo
  package let map: MemoryMap

  /// - Parameter info: Its offset and size lie within `map`.
  package init(info: TensorInfo, map: MemoryMap) {
    self.info = info
    self.map = map
  }

  /// The raw data, valid as long as this view (or its file) lives. Safetensors promises no
  /// alignment beyond a byte, GGUF the file's own (32 by default).
  package var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: map.bytes[info.offset..<info.offset + info.byteCount])
  }

  /// Gives the resident pages of a range of the tensor's bytes back, for after they were repacked.
  package func dropPages(_ range: Range<Int>) {
    let range = range.clamped(to: 0..<info.byteCount)
    map.dropPages(info.offset + range.lowerBound..<info.offset + range.upperBound)
  }
}

/// A file of named tensors, so that a model family is written once for every format.
package protocol TensorSource: Sendable {
  /// The file's path, for messages.
  var path: String { get }
  /// The names of all tensors, in no particular order.
  var tensorNames: [String] { get }
  /// How large all tensors are together; by default, as their names and shapes say in GGUF files.
  var weightSize: WeightSize { get }
  /// The tensor of that name, or nil if the file has none; throws if its type is not supported.
  func tensor(named name: String) throws(ModelFileError) -> TensorView?
  /// Gives all resident pages of the file back.
  func dropPages()
}

extension TensorSource {
  package var weightSize: WeightSize {
    let names = tensorNames
    var size = WeightSize(hasExperts: names.contains { $0.contains("_exps.") })
    for name in names {
      // A tensor that can't be read has its own error later.
      guard let info = (try? tensor(named: name))?.info else { continue }
      size.add(bytes: info.byteCount, elements: info.elementCount)
    }
    return size
  }

  /// The tensor of that name; throws if the file has none.
  package func requiredTensor(named name: String) throws(ModelFileError) -> TensorView {
    guard let view = try tensor(named: name) else {
      throw ModelFileError(path: path, field: "tensor \(name)", problem: .missing)
    }
    return view
  }

  /// The tensor of that name with that shape (outermost dimension first); throws otherwise.
  package func requiredTensor(
    named name: String, shape: [Int]
  ) throws(ModelFileError) -> TensorView {
    let view = try requiredTensor(named: name)
    guard view.info.shape == shape else {
      throw ModelFileError(
        path: path, field: "tensor \(name).shape",
        problem: .invalid(value: "\(view.info.shape)", expected: "\(shape)"))
    }
    return view
  }
}
