import Foundation

/// What queries grow by as a sequence becomes longer than those that a model was first trained on, so
/// that attention over many positions stays as sharp: `1 + rate * log(1 + floor(position / step))`
/// (Llama 4; Ministral 3).
package struct QueryGrowth: Sendable, Equatable {
  package var rate: Double
  /// Positions between two steps: the context of the first training.
  package var step: Int

  package init(rate: Double, step: Int) {
    self.rate = rate
    self.step = step
  }

  /// Factor on a position's queries.
  func factor(position: Int) -> Float {
    position < step ? 1 : Float(1 + rate * log(1 + Double(position / step)))
  }

  /// The first value that no model has, if there is one.
  var problem: (key: String, value: String, expected: String)? {
    guard rate.isFinite, rate >= 0, rate <= 1e3 else {
      return ("attention.temperature_scale", "\(rate)", "0 to 1000")
    }
    guard (1...DecoderConfiguration.Limit.contextLength).contains(step) else {
      return (
        "rope.scaling.original_context_length", "\(step)",
        "1 to \(DecoderConfiguration.Limit.contextLength)"
      )
    }
    return nil
  }
}
