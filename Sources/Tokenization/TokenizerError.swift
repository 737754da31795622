/// Why a tokenizer could not be made: the field that is missing or wrong.
package struct TokenizerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The metadata key or file, such as `tokenizer.ggml.merges[12]`.
  package let field: String
  package let problem: String

  package init(field: String, problem: String) {
    self.field = field
    self.problem = problem
  }

  package var description: String { "\(field): \(problem)" }
}
