/// Why a format can't be kept to.
package enum GrammarError: Error, Equatable, Sendable {
  /// The format has more states than may be held.
  case tooLarge(limit: Int)
  /// So many ways to read a text are open that following them all would hold up everybody.
  case tooAmbiguous(limit: Int)
  /// The model has no token with which a text that was begun could go on.
  case noTokenFits
}

extension GrammarError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .tooLarge(let limit): "the format has more than \(limit) states"
    case .tooAmbiguous(let limit):
      "the format leaves too many ways open to read what was written (limit \(limit))"
    case .noTokenFits: "no token of the model continues the text as its format asks"
    }
  }
}
