import Foundation

/// The C library's exponential under one name for every platform.
enum Exponential {
  static func of(_ value: Float) -> Float { Foundation.exp(value) }
  static func of(_ value: Double) -> Double { Foundation.exp(value) }
}
