import Foundation
import Kernels

extension Gate {
  /// From a row's logits to its probabilities.
  func probabilities(_ row: GateChoices.RowScratch) {
    let logits = row.logits
    let count = expertCount
    if !Self.isUsable(logits, count: count) { logits.update(repeating: 0, count: count) }
    let probabilities = row.probabilities
    probabilities.update(from: logits, count: count)
    switch probability {
    case .softmax: VectorOperations.softmax(probabilities, count: count)
    case .sigmoid:
      for expert in 0..<count { probabilities[expert] = 1 / (1 + exp(-probabilities[expert])) }
    case .none: break
    }
  }

  /// Whether logits can be compared: no NaN, no +infinity, and one that is finite.
  private static func isUsable(_ logits: UnsafePointer<Float>, count: Int) -> Bool {
    var bad: UInt32 = 0
    var finite: UInt32 = 0
    for index in 0..<count {
      bad |= logits[index] < .infinity ? 0 : 1
      finite |= logits[index] > -.infinity ? 1 : 0
    }
    return bad == 0 && finite == 1
  }

  /// The weights of a row's first `kept` ids.
  func weigh(_ row: GateChoices.RowScratch, kept: Int) {
    let weights = row.weights
    switch weighting {
    case .one:
      for index in 0..<kept { weights[index] = scale }
    case .raw:
      for index in 0..<kept { weights[index] = row.probabilities[Int(row.ids[index])] * scale }
    case .sumToOne:
      var sum = Self.smallestSum
      for index in 0..<kept {
        weights[index] = row.probabilities[Int(row.ids[index])]
        sum += weights[index]
      }
      for index in 0..<kept { weights[index] = weights[index] / sum * scale }
    case .softmaxOverKept:
      var largest = -Float.infinity
      for index in 0..<kept { largest = max(largest, row.logits[Int(row.ids[index])]) }
      // Only a selection bias can have kept nothing but -infinity.
      if largest == -.infinity { largest = 0 }
      var sum = Self.smallestSum
      for index in 0..<kept {
        weights[index] = exp(row.logits[Int(row.ids[index])] - largest)
        sum += weights[index]
      }
      for index in 0..<kept { weights[index] = weights[index] / sum * scale }
    }
  }

  /// What keeps a sum of probabilities that are all 0 from dividing by it.
  private static let smallestSum: Float = 1e-20

  /// The entropy of a row, 0 to 1 (the uniform row's). // (experts)
  ///
  /// Tsallis' with `values.index`; Shannon's where that is 1.
  static func entropy(
    _ probabilities: UnsafePointer<Float>, count: Int, _ values: EntropySwitch
  ) -> Float {
    guard count > 1 else { return 0 }
    var sum: Float = 0
    if abs(values.index - 1) < 1e-6 {
      for index in 0..<count {
        let p = probabilities[index] + values.epsilon
        if p > 0 { sum -= p * log(p) }
      }
      return sum / log(Float(count))
    }
    for index in 0..<count { sum += pow(probabilities[index] + values.epsilon, values.index) }
    return (1 - sum) / (1 - pow(Float(count), 1 - values.index))
  }
}
