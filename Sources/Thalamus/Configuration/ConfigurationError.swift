/// Why a configuration could not be used. `description` is one line that a person can act on.
package struct ConfigurationError: Error, CustomStringConvertible, Equatable {
  /// Where the value came from: a file's path, or an environment variable's name.
  package let source: String
  package let message: String

  package var description: String { "\(source): \(message)" }
}
