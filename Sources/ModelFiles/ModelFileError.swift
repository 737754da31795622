/// Why a model file could not be used: which file, which field of it, and what is wrong there.
package struct ModelFileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What is wrong with the field.
  package enum Problem: Equatable, Sendable {
    /// The operating system refused to open or map the file.
    case cannotOpen(reason: String)
    /// The field reaches beyond what the file holds.
    case truncated(neededBytes: UInt64, availableBytes: UInt64)
    /// The field's value is not one that the format allows.
    case invalid(value: String, expected: String)
    /// The value is allowed by the format, and not supported here.
    case unsupported(value: String)
    /// The field is required and not there.
    case missing
    /// The field has another type than the one asked for.
    case wrongType(found: String, expected: String)
    /// The name occurs twice.
    case duplicate
    /// The data of this tensor and of another one share bytes.
    case overlaps(tensor: String)
  }

  /// The file's path as it was given.
  package let path: String
  /// The field, such as `tensors[3].dimensions[1]` or a metadata key.
  package let field: String
  package let problem: Problem

  package init(path: String, field: String, problem: Problem) {
    self.path = path
    self.field = field
    self.problem = problem
  }

  package var description: String {
    "\(path): \(field): \(problemText)"
  }

  private var problemText: String {
    switch problem {
    case .cannotOpen(let reason): "cannot open: \(reason)"
    case .truncated(let needed, let available):
      "needs \(needed) bytes where the file has \(available) left"
    case .invalid(let value, let expected): "is \(value), expected \(expected)"
    case .unsupported(let value): "\(value) is not supported"
    case .missing: "is missing"
    case .wrongType(let found, let expected): "is \(found), expected \(expected)"
    case .duplicate: "occurs twice"
    case .overlaps(let tensor): "overlaps the data of tensor \(tensor)"
    }
  }
}
