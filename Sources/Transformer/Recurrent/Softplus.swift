import Foundation

/// log(1 + exp(x)): the step that recurrent layers make of a product.
func softplus(_ x: Float) -> Float {
  // x itself where the exponential would be too large.
  x > 20 ? x : log1p(exp(x))
}
