import CKernels

/// How one layer's keys and values of 64 positions lie in a page.
///
/// For each key/value head: K transposed, (headDim, 64), then V, (64, valueDim); as bytes, in fours that
/// belong to one sum, and with their scales behind (`CKernels.h`). A page may hold
/// anything before its slots are stored; what lies beyond the stored positions is never used.
package struct KVLayout: Sendable, Equatable {
  package enum ElementType: String, Sendable {
    case f16, f32
    /// Bytes, with a scale for each head's key and value of a position: half of f16, and a little more.
    case int8
  }

  /// Positions of a page.
  package static let positions = Int(TK_PAGE_POSITIONS)

  package let keyValueHeads: Int
  /// Width of a head's keys.
  package let headDim: Int
  /// Width of a head's values; that of the keys in most families.
  package let valueDim: Int
  package let elementType: ElementType

  /// `headDim` and `valueDim` are multiples of 8; of int8 1,024 at most.
  package init(
    keyValueHeads: Int, headDim: Int, valueDim: Int? = nil, elementType: ElementType
  ) throws(KernelError) {
    guard keyValueHeads > 0, keyValueHeads <= 4096 else {
      throw .invalidDimension(field: "keyValueHeads", value: keyValueHeads)
    }
    let widest = elementType == .int8 ? Int(TK_MOST_BYTE_DIM) : 4096
    guard headDim > 0, headDim <= widest, headDim % 8 == 0 else {
      throw .invalidDimension(field: "headDim", value: headDim)
    }
    let values = valueDim ?? headDim
    guard values > 0, values <= widest, values % 8 == 0 else {
      throw .invalidDimension(field: "valueDim", value: values)
    }
    self.valueDim = values
    self.keyValueHeads = keyValueHeads
    self.headDim = headDim
    self.elementType = elementType
  }

  package var bytesPerPage: Int { Int(tk_kv_page_bytes(native)) }

  var native: tk_kv_layout {
    let type =
      switch elementType {
      case .f32: TK_KV_FLOAT
      case .f16: TK_KV_HALF
      case .int8: TK_KV_BYTE
      }
    return tk_kv_layout(
      key_value_heads: Int32(keyValueHeads), head_dim: Int32(headDim),
      value_dim: Int32(valueDim), type: Int32(type))
  }

  /// Stores one position's keys and values. // (keyValueHeads, headDim), (keyValueHeads, valueDim)
  package func store(
    keys: UnsafePointer<Float>, values: UnsafePointer<Float>, page: UnsafeMutableRawPointer,
    slot: Int
  ) {
    precondition(slot >= 0 && slot < Self.positions)
    withUnsafePointer(to: Optional(page)) {
      kernels.kv_store(native, keys, 0, values, 0, $0, Int64(slot), 1)
    }
  }

  /// Stores neighbouring positions of one sequence.
  /// - Parameters:
  ///   - keys: Of position `positions.lowerBound`; others follow `stride` floats apart, as values do.
  ///     // (positions, keyValueHeads * headDim), (positions, keyValueHeads * valueDim)
  ///   - pages: All pages of the sequence.
  package func store(
    keys: UnsafePointer<Float>, values: UnsafePointer<Float>, stride: Int,
    pages: UnsafePointer<UnsafeMutableRawPointer>, positions: Range<Int>
  ) {
    precondition(positions.lowerBound >= 0)
    UnsafeRawPointer(pages).withMemoryRebound(
      to: UnsafeMutableRawPointer?.self, capacity: positions.upperBound / Self.positions + 1
    ) {
      kernels.kv_store(
        native, keys, Int64(stride), values, Int64(stride), $0, Int64(positions.lowerBound),
        Int64(positions.count))
    }
  }
}
