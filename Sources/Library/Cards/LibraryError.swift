/// What can be wrong with the library or one of its experts. Each message says what to do.
package enum LibraryError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The models folder cannot be read.
  case unreadableFolder(path: String)
  /// A card cannot be used.
  case invalidCard(path: String, problem: String)
  /// No expert has this id.
  case unknownExpert(id: String, known: [String])
  /// A file that a card names is not there.
  case missingFile(expert: String, path: String)
  /// The weights or the tokenizer cannot be loaded.
  case unloadable(expert: String, problem: String)
  /// A file or folder cannot be added as an expert.
  case notInstallable(path: String, problem: String)
  /// An expert cannot be taken out.
  case notRemovable(expert: String, problem: String)

  package var description: String {
    switch self {
    case .unreadableFolder(let path):
      "the models folder \(path) cannot be read; `make models` fetches models, --models names another folder"
    case .invalidCard(let path, let problem): "\(path): \(problem)"
    case .unknownExpert(let id, let known):
      "no expert '\(id.prefix(100))'; known: \(known.joined(separator: ", "))"
    case .missingFile(let expert, let path):
      "expert \(expert): \(path) is missing; `make models` fetches it"
    case .notInstallable(let path, let problem): "\(path) cannot be added: \(problem)"
    case .notRemovable(let expert, let problem): "expert \(expert) cannot be removed: \(problem)"
    case .unloadable(let expert, let problem): "expert \(expert) cannot be loaded: \(problem)"
    }
  }
}
