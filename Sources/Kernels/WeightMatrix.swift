import CKernels

/// The weights of a linear layer, repacked once for the kernels. // (outputs, inputs)
package final class WeightMatrix: @unchecked Sendable {
  // Unchecked: written by `init` only.

  /// How a matrix is multiplied.
  package enum Precision: Sendable {
    /// Weights as float32, float products: the truth that the fast path is compared with.
    case float
    /// Weights in the bits that the file has, activations in int8 per 32 inputs. F32, F16 and
    /// BF16 tensors become 8-bit blocks of 32.
    case quantized
  }

  package let outputs: Int
  package let inputs: Int
  package let elementType: ElementType
  package let precision: Precision
  /// Memory that the packed weights take.
  package let byteCount: Int

  private let storage: WeightStorage
  let memory: UnsafeMutableRawPointer
  let packed: tk_matrix
  let functions: tk_kernels

  /// Packs `bytes`, a tensor of `outputs` rows of `inputs` numbers as the file has it. The bytes
  /// are not needed afterwards. With a pool its threads share the work.
  ///
  /// - Parameter release: Called with ranges of `bytes` as they have been read (they may be read
  ///   again): where the tensor is mapped, its pages can be given back at once.
  package init(
    outputs: Int, inputs: Int, elementType: ElementType, bytes: UnsafeRawBufferPointer,
    precision: Precision, storage: WeightStorage = .memory, pool: ThreadPool? = nil,
    instructionSet: InstructionSet = .current,
    release: @escaping (Range<Int>) -> Void = { _ in }
  ) throws(KernelError) {
    let expected = try tensorByteCount(elementType, rows: outputs, inputs: inputs)
    guard bytes.count == expected, let address = bytes.baseAddress else {
      throw .wrongByteCount(field: "tensor", expected: expected, actual: bytes.count)
    }
    let source = PackingSource(
      bytes: address, rowBytes: expected / outputs, rows: outputs, release: release)
    self.outputs = outputs
    self.inputs = inputs
    self.elementType = elementType
    self.precision = precision
    self.storage = storage
    functions = instructionSet.functions
    let tiles = (outputs + WeightMatrix.tile - 1) / WeightMatrix.tile
    switch precision {
    case .float:
      byteCount = try checkedByteCount(
        rows: tiles * WeightMatrix.tile, width: inputs, bytesPerElement: 4)
      memory = try storage.allocate(byteCount)
      packed = tk_matrix()
      packFloat(source: source, pool: pool)
    case .quantized:
      var matrix = tk_matrix()
      guard tk_format_for_type(elementType.rawValue, &matrix.format) else {
        throw .invalidDimension(field: "elementType", value: Int(elementType.rawValue))
      }
      let blocks = (inputs + WeightMatrix.block - 1) / WeightMatrix.block
      matrix.bytes_per_block = tk_format_bytes_per_block(matrix.format)
      byteCount = try checkedByteCount(
        rows: tiles, width: blocks, bytesPerElement: Int(matrix.bytes_per_block))
      memory = try storage.allocate(byteCount)
      matrix.tiles = UnsafePointer(memory.assumingMemoryBound(to: UInt8.self))
      matrix.outputs = Int64(outputs)
      matrix.inputs = Int64(inputs)
      matrix.blocks = Int64(blocks)
      matrix.factor = Self.factor(elementType, source: source, inputs: inputs, pool: pool)
      packed = matrix
      packQuantized(source: source, pool: pool)
    }
  }

  deinit { storage.free(memory, byteCount) }

  /// Outputs of a tile of the packed layout.
  static let tile = Int(TK_TILE)
  /// Inputs of a block.
  static let block = Int(TK_BLOCK)

  var tileCount: Int { (outputs + Self.tile - 1) / Self.tile }

  /// One output's weights, dequantised: a token's embedding. // (inputs)
  package func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
    precondition(row >= 0 && row < outputs, "row \(row) of \(outputs)")
    switch precision {
    case .float:
      let tile = memory.assumingMemoryBound(to: Float.self) + row / Self.tile * inputs * Self.tile
      for k in 0..<inputs { destination[k] = tile[k * Self.tile + row % Self.tile] }
    case .quantized:
      withUnsafePointer(to: packed) { tk_matrix_row($0, Int64(row), destination) }
    }
  }
}
