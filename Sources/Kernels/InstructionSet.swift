import CKernels
import Foundation

/// The machine instructions that the kernels use; chosen once, when first asked for.
package enum InstructionSet: Int32, Sendable, CaseIterable {
  // In the order of CKernels.h, from the slowest to the fastest of a kind of machine.

  /// Plain C, on every machine.
  case generic
  /// AVX2 with FMA and F16C.
  case avx2
  /// AVX2 with dot products of bytes (AVX-VNNI).
  case avxVNNI
  /// AVX-512 (F, BW, DQ, VL) with VNNI.
  case avx512
  /// AVX-512 with VNNI, and AMX's tiles for sentence encoders.
  case amx
  /// NEON with dot products.
  case neon

  /// The name that `THALAMUS_KERNELS` takes.
  package var name: String {
    switch self {
    case .generic: "generic"
    case .avx2: "avx2"
    case .avxVNNI: "avxvnni"
    case .avx512: "avx512"
    case .amx: "amx"
    case .neon: "neon"
    }
  }

  /// Those that this machine and build have, from the slowest to the fastest.
  package static let available: [InstructionSet] = allCases.filter {
    tk_kernels_for($0.rawValue) != nil
  }

  /// The fastest available, or the one that the environment variable `THALAMUS_KERNELS` names
  /// (ignored where this machine does not have it).
  package static let current: InstructionSet = {
    // Where one is named no other is looked for: to ask for AMX changes what the system wants of the process.
    if let wanted = ProcessInfo.processInfo.environment["THALAMUS_KERNELS"],
      let named = allCases.first(where: { $0.name == wanted }),
      tk_kernels_for(named.rawValue) != nil
    {
      return named
    }
    return available.last ?? .generic
  }()

  /// The functions of this instruction set; those of plain C where the machine lacks it.
  var functions: tk_kernels {
    if let table = tk_kernels_for(rawValue) { return table.pointee }
    return genericFunctions
  }

  /// The kernels of sentence encoders (`Rotated.h`), where there are any.
  var rotatedFunctions: tk_rotated_kernels? { tk_rotated_kernels_for(rawValue)?.pointee }
}

private let genericFunctions: tk_kernels = {
  guard let table = tk_kernels_for(InstructionSet.generic.rawValue) else { return tk_kernels() }
  return table.pointee
}()

/// The functions that every operation of this room calls.
let kernels: tk_kernels = InstructionSet.current.functions
