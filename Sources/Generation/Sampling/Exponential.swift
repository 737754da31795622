import Foundation

/// The C library's exponential and logarithm under one name for every platform.
enum Exponential {
  static func of(_ value: Float) -> Float { Foundation.exp(value) }
  static func of(_ value: Double) -> Double { Foundation.exp(value) }
  static func logarithm(_ value: Float) -> Float { Foundation.log(value) }
}
