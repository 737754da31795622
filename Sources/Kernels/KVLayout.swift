import CKernels

/// How one layer's keys and values of 64 positions lie in a page.
///
/// For each key/value head: K transposed, (headDim, 64), then V, (64, headDim). A page may hold
/// anything before its slots are stored; what lies beyond the stored positions is never used.
package struct KVLayout: Sendable, Equatable {
  package enum ElementType: Sendable { case f16, f32 }

  /// Positions of a page.
  package static let positions = Int(TK_PAGE_POSITIONS)

  package let keyValueHeads: Int
  package let headDim: Int
  package let elementType: ElementType

  /// `headDim` is a multiple of 8.
  package init(keyValueHeads: Int, headDim: Int, elementType: ElementType) throws(KernelError) {
    guard keyValueHeads > 0, keyValueHeads <= 4096 else {
      throw .invalidDimension(field: "keyValueHeads", value: keyValueHeads)
    }
    guard headDim > 0, headDim <= 4096, headDim % 8 == 0 else {
      throw .invalidDimension(field: "headDim", value: headDim)
    }
    self.keyValueHeads = keyValueHeads
    self.headDim = headDim
    self.elementType = elementType
  }

  package var bytesPerPage: Int { Int(tk_kv_page_bytes(native)) }

  var native: tk_kv_layout {
    tk_kv_layout(
      key_value_heads: Int32(keyValueHeads), head_dim: Int32(headDim),
      half: elementType == .f16 ? 1 : 0)
  }

  /// Stores one position's keys and values. // (keyValueHeads, headDim) each
  package func store(
    keys: UnsafePointer<Float>, values: UnsafePointer<Float>, page: UnsafeMutableRawPointer,
    slot: Int
  ) {
    precondition(slot >= 0 && slot < Self.positions)
    kernels.kv_store(native, keys, values, page, Int64(slot))
  }
}
