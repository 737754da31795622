import JSON

/// What is wrong with a JSON schema, or more than can be kept to.
package struct JSONSchemaError: Error, Equatable, Sendable {
  package enum Kind: Sendable, Equatable {
    /// No schema, or one that nothing is valid by.
    case invalid
    /// A schema that asks for what can't be kept to here.
    case unsupported
  }

  package let kind: Kind
  /// Where in the schema, as a JSON pointer: `#/properties/name`.
  package let path: String
  package let problem: String

  init(_ kind: Kind = .invalid, path: String, problem: String) {
    self.kind = kind
    self.path = path
    self.problem = problem
  }
}

extension JSONSchemaError: CustomStringConvertible {
  package var description: String { "\(path.prefix(200)): \(problem)" }
}
