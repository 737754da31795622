/// One metadata value. Integers and floats are widened; arrays stay in the file until asked for.
package enum GGUFValue: Sendable {
  case unsigned(UInt64)
  case signed(Int64)
  case float(Double)
  case bool(Bool)
  case string(String)
  case array(GGUFArray)

  /// The value as an integer, if it is one that fits.
  package var int: Int? {
    switch self {
    case .unsigned(let value): Int(exactly: value)
    case .signed(let value): Int(exactly: value)
    default: nil
    }
  }

  /// The value as a floating-point number; integers count.
  package var double: Double? {
    switch self {
    case .float(let value): value
    case .unsigned(let value): Double(value)
    case .signed(let value): Double(value)
    default: nil
    }
  }

  package var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  package var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  package var array: GGUFArray? {
    if case .array(let value) = self { value } else { nil }
  }

  /// The name of the value's type, for error messages.
  package var typeName: String {
    switch self {
    case .unsigned, .signed: "an integer"
    case .float: "a float"
    case .bool: "a boolean"
    case .string: "a string"
    case .array(let array): "an array of \(array.elementType)"
    }
  }
}
