/// Why a chat template could not be read or rendered.
package struct ChatTemplateError: Error, Equatable, Sendable, CustomStringConvertible {
  package enum Kind: Equatable, Sendable {
    /// The template's text is not in the language, or uses a part of it that is not supported.
    case syntax
    /// An operation is not possible with these values.
    case evaluation
    /// The template took more steps, depth or output than is allowed.
    case limit
    /// The template itself refused the messages, by `raise_exception`.
    case raised
  }

  package let kind: Kind
  package let message: String
  /// Line in the template, from 1.
  package let line: Int

  package var description: String {
    kind == .raised ? message : "chat template, line \(line): \(message)"
  }
}
