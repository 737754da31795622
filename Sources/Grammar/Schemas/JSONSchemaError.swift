import JSON

/// What is wrong with a JSON schema, or more than can be kept to.
package struct JSONSchemaError: Error, Equatable, Sendable {
  /// Where in the schema, as a JSON pointer: `#/properties/name`.
  package let path: String
  package let problem: String
}

extension JSONSchemaError: CustomStringConvertible {
  package var description: String { "\(path.prefix(200)): \(problem)" }
}
