import Generation
import JSON

/// `tools` and `tool_choice` of Anthropic's API, said in OpenAI's words.
enum MessagesTools {
  static func use(of tools: JSONValue?, choice: JSONValue?) throws(APIError) -> ToolUse? {
    let functions = try functions(tools)
    let several: Bool?
    switch choice?["disable_parallel_tool_use"] {
    case nil, .null?: several = nil
    case .bool(let isOff)?: several = !isOff
    default:
      throw .badRequest(
        "'tool_choice.disable_parallel_tool_use' must be true or false", code: "invalid_type",
        param: "tool_choice.disable_parallel_tool_use")
    }
    let named = try name(of: choice)
    do throws(APIError) {
      return try ToolsBody.use(of: functions, choice: named, allowsSeveral: several)
    } catch {
      throw inTheirWords(error)
    }
  }

  /// An error names a field as the client wrote it.
  private static func inTheirWords(_ error: APIError) -> APIError {
    var error = error
    for (ours, theirs) in [(".function.parameters", ".input_schema"), (".function.name", ".name")] {
      error.message = error.message.replacing(ours, with: theirs)
      error.param = error.param?.replacing(ours, with: theirs)
    }
    return error
  }

  private static func functions(_ tools: JSONValue?) throws(APIError) -> JSONValue? {
    guard case .array(let items)? = tools else { return tools }
    var functions: [JSONValue] = []
    for (index, item) in items.enumerated() {
      functions.append(try function(item, at: "tools[\(index)]"))
    }
    return .array(functions)
  }

  private static func function(_ item: JSONValue, at path: String) throws(APIError) -> JSONValue {
    // Tools of Anthropic's own have another type, which is refused by its name.
    guard try ["custom", nil].contains(item.textIfPresent("type", at: path)) else { return item }
    var pairs: [(key: String, value: JSONValue)] = [
      ("name", .string(try item.text("name", at: path)))
    ]
    if let description = item["description"] { pairs.append(("description", description)) }
    guard let schema = item["input_schema"] else {
      throw .badRequest(
        "'\(path).input_schema' is missing", code: "missing_field", param: "\(path).input_schema")
    }
    pairs.append(("parameters", schema))
    if let strict = item["strict"] { pairs.append(("strict", strict)) }
    return .object([("type", .string("function")), ("function", .object(pairs))])
  }

  private static func name(of choice: JSONValue?) throws(APIError) -> JSONValue? {
    guard let choice, !choice.isNull else { return nil }
    switch try choice.text("type", at: "tool_choice") {
    case "auto": return .string("auto")
    case "none": return .string("none")
    case "any": return .string("required")
    case "tool":
      let name = try choice.text("name", at: "tool_choice")
      return .object([
        ("type", .string("function")), ("function", .object([("name", .string(name))])),
      ])
    default:
      throw .badRequest(
        "'tool_choice.type' must be auto, any, tool or none", param: "tool_choice.type")
    }
  }
}
