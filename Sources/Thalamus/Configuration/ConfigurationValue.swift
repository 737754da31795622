/// A value as it was written, before its key says what it must be.
enum ConfigurationValue: Sendable, Equatable {
  case text(String)
  case items([String])

  func scalar(_ path: String) throws(ConfigurationKey.InvalidValue) -> String {
    switch self {
    case .text(let text): return text
    case .items: throw .init(message: "\(path) is a list, expected one value")
    }
  }

  /// A scalar stands for a list separated by commas, so that the environment can carry one.
  var list: [String] {
    switch self {
    case .items(let items): items
    case .text(let text):
      text.split(separator: ",").map { item in
        String(item.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
      }
    }
  }
}
