import CKernels

/// Where packed weights lie.
package enum WeightStorage: Sendable, Equatable {
  case memory
  /// In a nameless file in this folder, mapped: what is not used for long may leave memory, and is
  /// read again when it is. For models larger than memory.
  case file(folder: String)

  func allocate(_ bytes: Int) throws(KernelError) -> UnsafeMutableRawPointer {
    switch self {
    case .memory: return try Kernels.allocate(bytes)
    case .file(let folder):
      guard let memory = tk_allocate_in_file(bytes, folder) else {
        throw .noSpace(folder: folder, bytes: bytes)
      }
      return memory
    }
  }

  func free(_ memory: UnsafeMutableRawPointer, _ bytes: Int) {
    switch self {
    case .memory: tk_free(memory, bytes)
    case .file: tk_free_in_file(memory, bytes)
    }
  }
}
