import Foundation
import Routing
import Yams

extension Configuration {
  /// The configuration of a YAML file, overridden by the environment.
  ///
  /// - Parameter path: nil reads no file: defaults and the environment only.
  /// - Throws: what is wrong, where, and for an unknown key the nearest known one.
  package static func load(
    path: String?, environment: [String: String]
  ) throws(ConfigurationError) -> Configuration {
    var configuration = Configuration()
    if let path {
      let text: String
      do {
        text = try String(contentsOfFile: path, encoding: .utf8)
      } catch {
        throw ConfigurationError(source: path, message: "cannot be read (is the path right?)")
      }
      try configuration.apply(yaml: text, source: path)
    }
    try configuration.apply(environment: environment)
    return configuration
  }

  /// Applies the keys of a YAML document.
  package mutating func apply(yaml: String, source: String) throws(ConfigurationError) {
    let root: Node?
    do {
      root = try Yams.compose(yaml: yaml)
    } catch {
      throw ConfigurationError(source: source, message: "not valid YAML: \(error)")
    }
    guard let root, root.null == nil else { return }
    try apply(node: root, path: "", source: source)
  }

  private mutating func apply(
    node: Node, path: String, source: String
  ) throws(ConfigurationError) {
    if let key = Self.keys[path] {
      try apply(key, try Self.value(of: node, path: path, source: source), source: source)
      return
    }
    guard case .mapping(let mapping) = node else {
      // A section that is named but left empty is an honest way to say "all defaults".
      if node.null != nil { return }
      throw ConfigurationError(
        source: source, message: "\(path.isEmpty ? "the document" : path) must hold keys")
    }
    for (name, child) in mapping {
      let childPath = path.isEmpty ? name.string ?? "" : "\(path).\(name.string ?? "")"
      let isSection = Self.keys.keys.contains { $0.hasPrefix(childPath + ".") }
      guard isSection || Self.keys[childPath] != nil else {
        let line = name.mark.map { ":\($0.line)" } ?? ""
        throw ConfigurationError(
          source: source + line,
          message: "unknown key '\(childPath)'" + Self.suggestion(for: childPath))
      }
      try apply(node: child, path: childPath, source: source)
    }
  }

  /// Applies the variables that name a key. Others that begin with `THALAMUS_` are errors too:
  /// a misspelt one must not be ignored.
  package mutating func apply(environment: [String: String]) throws(ConfigurationError) {
    let byVariable = Dictionary(
      uniqueKeysWithValues: ConfigurationKey.all.map { ($0.environmentVariable, $0) })
    for (name, value) in environment.sorted(by: { $0.key < $1.key })
    where name.hasPrefix("THALAMUS_") && !Self.otherVariables.contains(name) {
      guard let key = byVariable[name] else {
        let nearest = name.nearest(among: byVariable.keys.sorted())
        throw ConfigurationError(
          source: name,
          message: "no such setting" + (nearest.map { "; did you mean \($0)?" } ?? ""))
      }
      // A variable that a deployment left empty must not open what the file has closed.
      let closes = ["server.api_keys", "server.keys_directory", "constraints.licenses"]
        .contains(key.path)
      if closes, value.allSatisfy({ $0.isWhitespace || $0 == "," }) { continue }
      try apply(key, .text(value), source: name)
    }
  }

  private mutating func apply(
    _ key: ConfigurationKey, _ value: ConfigurationValue, source: String
  ) throws(ConfigurationError) {
    do {
      try key.store(&self, value)
    } catch {
      throw ConfigurationError(source: source, message: error.message)
    }
  }

  private static func value(
    of node: Node, path: String, source: String
  ) throws(ConfigurationError) -> ConfigurationValue {
    switch node {
    case .scalar(let scalar):
      return .text(node.null != nil ? "" : scalar.string)
    case .sequence(let sequence):
      var items: [String] = []
      for item in sequence {
        guard case .scalar(let scalar) = item else {
          throw ConfigurationError(source: source, message: "\(path) must be a list of values")
        }
        items.append(scalar.string)
      }
      return .items(items)
    default:
      throw ConfigurationError(source: source, message: "\(path) must be a value or a list")
    }
  }

  private static let keys = Dictionary(
    uniqueKeysWithValues: ConfigurationKey.all.map { ($0.path, $0) })

  /// Variables that are read elsewhere and are no settings of this file.
  private static let otherVariables: Set<String> = ["THALAMUS_KERNELS", "THALAMUS_CONFIG"]

  private static func suggestion(for path: String) -> String {
    let sections = Set(keys.keys.compactMap { $0.split(separator: ".").first.map(String.init) })
    let candidates = keys.keys.sorted() + sections.sorted()
    return path.nearest(among: candidates).map { "; did you mean '\($0)'?" } ?? ""
  }
}
