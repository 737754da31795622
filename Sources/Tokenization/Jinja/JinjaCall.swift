/// Evaluated arguments, by position or name.
struct JinjaCall {
  var positional: [JinjaValue]
  var named: [(name: String, value: JinjaValue)] = []

  init(
    _ arguments: JinjaArguments, _ interpreter: inout JinjaInterpreter
  ) throws(ChatTemplateError) {
    positional = try interpreter.evaluate(arguments.positional)
    for argument in arguments.named {
      named.append((argument.name, try interpreter.evaluate(argument.value)))
    }
  }

  init(_ positional: [JinjaValue]) { self.positional = positional }

  /// The argument at the position, or of that name.
  subscript(position: Int, name: String) -> JinjaValue? {
    position < positional.count
      ? positional[position] : named.last(where: { $0.name == name })?.value
  }

  func string(_ position: Int, _ name: String) -> String? {
    if case .string(let text)? = self[position, name] { text } else { nil }
  }

  func int(_ position: Int, _ name: String) -> Int? { self[position, name]?.integer }
}
