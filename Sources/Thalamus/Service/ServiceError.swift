/// What the service itself cannot do. Errors of the rooms below pass through as they are.
package enum ServiceError: Error, Sendable, CustomStringConvertible {
  /// No decision in the log has this id.
  case unknownDecision(id: String)
  /// The server was configured to keep no log.
  case noLog
  /// The log cannot be read.
  case log(problem: String)
  /// The log takes nothing now.
  case notLogged(problem: String)
  /// There is no trained router for this strategy.
  case untrained(strategy: String, path: String)
  /// An answer was asked for of the model that only makes embeddings.
  case makesNoText(model: String)
  /// The tokens of an expert are asked about that runs elsewhere.
  case noTokenizer(expert: String)
  /// The sentence encoder failed.
  case encoder(problem: String)
  /// A parameter of a query cannot be understood.
  case invalidQuery(name: String, problem: String)

  package var description: String {
    switch self {
    case .unknownDecision(let id): "no decision '\(id.prefix(100))' in the log"
    case .noLog: "this server keeps no decision log (log.database is empty)"
    case .log(let problem): "the decision log cannot be read: \(problem)"
    case .notLogged(let problem): "the decision log takes nothing now: \(problem)"
    case .untrained(let strategy, let path):
      "there is no trained router for strategy '\(strategy)' in \(path); `thalamus router train` makes one"
    case .makesNoText(let model):
      "'\(model)' makes embeddings (/v1/embeddings) and no text; 'auto' or an expert's id does"
    case .noTokenizer(let expert):
      "expert \(expert) is remote: its tokenizer is not here, and its tokens are not known"
    case .encoder(let problem): "the sentence encoder failed: \(problem)"
    case .invalidQuery(let name, let problem): "'\(name)': \(problem)"
    }
  }
}
