import Foundation

/// By what neighbouring pixels are weighed when an image gets another size; Pillow's numbers.
package enum ResamplingFilter: Int, Sendable {
  case lanczos = 1
  case bilinear = 2
  case bicubic = 3

  /// Pixels to each side that count, of the larger of both images.
  var support: Double {
    switch self {
    case .lanczos: 3
    case .bilinear: 1
    case .bicubic: 2
    }
  }

  /// The weight of a pixel that is so far away.
  func weight(_ x: Double) -> Double {
    switch self {
    case .lanczos:
      return x >= -3 && x < 3 ? Self.sinc(x) * Self.sinc(x / 3) : 0
    case .bilinear:
      return max(0, 1 - abs(x))
    case .bicubic:
      // Keys' cubic with a = -0.5.
      let x = abs(x)
      if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0
    }
  }

  private static func sinc(_ x: Double) -> Double {
    x == 0 ? 1 : sin(x * .pi) / (x * .pi)
  }
}
