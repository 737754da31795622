import Kernels

/// The tensors' descriptions while a GGUF file is being opened: read first, then located, since
/// the data's start is known only after the last description.
struct GGUFTensorTable {
  let path: String
  private(set) var tensors: [String: TensorInfo] = [:]
  private(set) var unsupported: [String: UInt32] = [:]

  private struct Entry {
    let name: String
    let shape: [Int]
    let rawType: UInt32
    /// From the start of the data section.
    let offset: UInt64
  }
  private var entries: [Entry] = []

  init(path: String) { self.path = path }

  private func error(_ field: String, _ problem: ModelFileError.Problem) -> ModelFileError {
    ModelFileError(path: path, field: field, problem: problem)
  }

  mutating func read(_ cursor: inout ByteCursor, count: UInt64) throws(ModelFileError) {
    var names: Set<String> = []
    for index in 0..<count {
      let name = try cursor.name(
        "tensors[\(index)].name", maximumBytes: GGUFPart.maximumTensorNameBytes)
      let field = "tensor \(name)"
      guard names.insert(name).inserted else { throw cursor.error(field, .duplicate) }
      let dimensionCount = try cursor.integer(UInt32.self, "\(field).dimensionCount")
      guard (1...4).contains(dimensionCount) else {
        throw cursor.error(
          "\(field).dimensionCount", .invalid(value: "\(dimensionCount)", expected: "1 to 4"))
      }
      var shape: [Int] = []
      var elements = 1
      for dimension in 0..<dimensionCount {
        let raw = try cursor.integer(UInt64.self, "\(field).dimensions[\(dimension)]")
        guard let size = Int(exactly: raw), size > 0 else {
          throw cursor.error(
            "\(field).dimensions[\(dimension)]",
            .invalid(value: "\(raw)", expected: "1 to \(Int.max)"))
        }
        let (product, overflow) = elements.multipliedReportingOverflow(by: size)
        guard !overflow else {
          throw cursor.error(
            "\(field).dimensions[\(dimension)]",
            .invalid(value: "\(raw)", expected: "a product of dimensions up to \(Int.max)"))
        }
        elements = product
        shape.append(size)
      }
      let rawType = try cursor.integer(UInt32.self, "\(field).type")
      let offset = try cursor.integer(UInt64.self, "\(field).offset")
      // The file has the innermost dimension first.
      entries.append(
        Entry(name: name, shape: shape.reversed(), rawType: rawType, offset: offset))
    }
  }

  /// Turns relative offsets into positions in the file, and checks bounds and overlaps.
  mutating func locate(
    after headerEnd: Int, alignment: Int, fileSize: Int
  ) throws(ModelFileError) {
    // Both are bounded by the file's size and 1 MiB, so nothing here can overflow.
    let dataStart = (headerEnd + alignment - 1) / alignment * alignment
    let available = UInt64(max(0, fileSize - dataStart))
    for entry in entries {
      let field = "tensor \(entry.name)"
      guard entry.offset % UInt64(alignment) == 0 else {
        throw error(
          "\(field).offset",
          .invalid(value: "\(entry.offset)", expected: "a multiple of \(alignment)"))
      }
      guard entry.offset <= available else {
        throw error(
          "\(field).offset",
          .truncated(neededBytes: entry.offset, availableBytes: available))
      }
      guard let type = ElementType(rawValue: entry.rawType) else {
        unsupported[entry.name] = entry.rawType
        continue
      }
      let byteCount = try byteCount(entry, type)
      guard UInt64(byteCount) <= available - entry.offset else {
        throw error(
          field,
          .truncated(
            neededBytes: UInt64(byteCount), availableBytes: available - entry.offset))
      }
      tensors[entry.name] = TensorInfo(
        name: entry.name, shape: entry.shape, elementType: type,
        offset: dataStart + Int(entry.offset), byteCount: byteCount)
    }
    try TensorOverlap.check(Array(tensors.values), path: path)
    entries = []
  }

  private func byteCount(_ entry: Entry, _ type: ElementType) throws(ModelFileError) -> Int {
    let columns = entry.shape.last ?? 1
    guard columns % type.blockSize == 0 else {
      throw error(
        "tensor \(entry.name).dimensions[0]",
        .invalid(
          value: "\(columns)", expected: "a multiple of \(type)'s block size \(type.blockSize)"))
    }
    // The product of the dimensions was checked when they were read.
    let blocks = entry.shape.reduce(1, *) / type.blockSize
    let (bytes, overflow) = blocks.multipliedReportingOverflow(by: type.bytesPerBlock)
    guard !overflow else {
      throw error(
        "tensor \(entry.name).dimensions",
        .invalid(value: "\(entry.shape)", expected: "a size in bytes up to \(Int.max)"))
    }
    return bytes
  }
}

/// Two tensors that share bytes mean a damaged or forged file.
enum TensorOverlap {
  static func check(_ tensors: [TensorInfo], path: String) throws(ModelFileError) {
    let sorted = tensors.filter { $0.byteCount > 0 }.sorted { $0.offset < $1.offset }
    for (tensor, next) in zip(sorted, sorted.dropFirst())
    where tensor.offset + tensor.byteCount > next.offset {
      throw ModelFileError(
        path: path, field: "tensor \(next.name).offset", problem: .overlaps(tensor: tensor.name))
    }
  }
}
