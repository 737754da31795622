/// How the numbers of a tensor are stored, with ggml's numbering so that a GGUF file's value maps
/// straight to a case. Quantised types store blocks of `blockSize` consecutive elements of a row
/// in `bytesPerBlock` bytes.
package enum ElementType: UInt32, Sendable, CaseIterable, Hashable {
  case f32 = 0
  case f16 = 1
  case q4_0 = 2
  case q4_1 = 3
  case q5_0 = 6
  case q5_1 = 7
  case q8_0 = 8
  case q2_K = 10
  case q3_K = 11
  case q4_K = 12
  case q5_K = 13
  case q6_K = 14
  /// 4 bits that stand for numbers of a table, finer about zero.
  case iq4_NL = 20
  /// The same, with scales of six bits below one for 256.
  case iq4_XS = 23
  case bf16 = 30
  /// 4-bit floats (E2M1) that share a power of two.
  case mxfp4 = 39

  /// Consecutive elements of a row that one block holds.
  package var blockSize: Int {
    switch self {
    case .f32, .f16, .bf16: 1
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .iq4_NL, .mxfp4: 32
    case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_XS: 256
    }
  }

  /// Size of one block in bytes.
  package var bytesPerBlock: Int {
    switch self {
    case .f32: 4
    case .f16, .bf16: 2
    case .q4_0: 18
    case .q4_1: 20
    case .q5_0: 22
    case .q5_1: 24
    case .q8_0: 34
    case .q2_K: 84
    case .q3_K: 110
    case .q4_K: 144
    case .q5_K: 176
    case .q6_K: 210
    case .iq4_NL: 18
    case .iq4_XS: 136
    case .mxfp4: 17
    }
  }
}
