import JSON

extension Grammar {
  /// Any JSON object.
  package static let jsonObject: Grammar? = {
    var builder = GrammarBuilder()
    let root = try? builder.rule("root") { try $0.anyObject(from: $1) }
    return root.flatMap { builder.finish(root: $0) }
  }()

  /// Bytes of a schema; ten times what services allow.
  package static let maximumSchemaBytes = 256 << 10

  /// What a JSON schema takes.
  ///
  /// - Parameter isStrict: Whether a keyword that can't be kept to is an error; else it is passed over.
  package static func json(
    schema: JSONValue, isStrict: Bool = true
  ) throws(JSONSchemaError) -> Grammar {
    try JSONSchemaCompiler.checkSize(schema)
    var compiler = JSONSchemaCompiler(schema, isStrict: isStrict)
    return try made { builder in
      try builder.rule("root") { try compiler.text(from: $1, in: &$0) }
    }
  }

  /// The grammar of the rule that `build` makes, or what is wrong with the schemas that it makes it of.
  static func made(
    _ build: (inout GrammarBuilder) throws -> Grammar.Rule
  ) throws(JSONSchemaError) -> Grammar {
    var builder = GrammarBuilder()
    let root: Grammar.Rule
    do {
      root = try build(&builder)
    } catch let error as JSONSchemaError {
      throw error
    } catch {
      throw JSONSchemaError(.unsupported, path: "#", problem: "\(error)")
    }
    guard let grammar = builder.finish(root: root) else {
      throw JSONSchemaError(
        .unsupported, path: "#",
        problem: "no text is valid by it that comes to an end in reasonable depth")
    }
    return grammar
  }
}
