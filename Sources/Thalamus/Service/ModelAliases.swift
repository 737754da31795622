/// Names that clients may have for models, besides the models' own.
package struct ModelAliases: Sendable, Equatable {
  /// What is wrong with one.
  package struct Failure: Error, Equatable, CustomStringConvertible {
    package let description: String
  }

  /// Model by name.
  private let models: [String: String]

  /// - Parameters:
  ///   - entries: `name=model` each.
  ///   - known: Names that models have.
  package init(_ entries: [String], known: [String]) throws(Failure) {
    var models: [String: String] = [:]
    for entry in entries {
      let parts = entry.split(separator: "=", maxSplits: 1).map {
        $0.split(separator: " ").joined(separator: " ")
      }
      guard parts.count == 2, let name = parts.first, let model = parts.last, !name.isEmpty else {
        throw Failure(
          description: "models.aliases: '\(entry.prefix(80))' is not of the form name=model")
      }
      guard known.contains(model) else {
        throw Failure(
          description: "models.aliases: '\(entry.prefix(80))' names no model; known: "
            + known.joined(separator: ", "))
      }
      guard !known.contains(name) else {
        throw Failure(description: "models.aliases: '\(name.prefix(80))' is a model's own name")
      }
      models[name] = model
    }
    self.models = models
  }

  /// The model of a name.
  package func model(_ name: String) -> String { models[name] ?? name }

  /// The same of a name as Ollama's clients write it, who put a tag behind one that has none.
  package func tagged(_ name: String) -> String {
    guard models[name] == nil, name.hasSuffix(":latest") else { return model(name) }
    return model(String(name.dropLast(7)))
  }

  package var names: [String] { models.keys.sorted() }
}
