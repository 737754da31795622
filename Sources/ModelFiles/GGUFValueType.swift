/// The type of a metadata value, with GGUF's numbering.
package enum GGUFValueType: UInt32, Sendable {
  case uint8 = 0
  case int8 = 1
  case uint16 = 2
  case int16 = 3
  case uint32 = 4
  case int32 = 5
  case float32 = 6
  case bool = 7
  case string = 8
  case array = 9
  case uint64 = 10
  case int64 = 11
  case float64 = 12

  /// Bytes of one value in the file, where all values of the type have the same size.
  package var fixedSize: Int? {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    case .string, .array: nil
    }
  }

  /// The least number of bytes that one value takes, to bound a count before it is believed.
  var minimumSize: Int {
    // A string has its 8-byte length; an array its 4-byte type and 8-byte count.
    fixedSize ?? (self == .string ? 8 : 12)
  }
}
