import Generation
import Grammar
import JSON

/// `tools`, `tool_choice` and `parallel_tool_calls`: functions that the answer may ask for, in OpenAI's words.
enum ToolsBody {
  private enum CodingKeys: String, CodingKey {
    case tools
    case toolChoice = "tool_choice"
    case parallelToolCalls = "parallel_tool_calls"
  }

  private static let maximumTools = 128
  private static let maximumNameBytes = 128

  /// What a request's body says of tools; nil where none may be called.
  static func decode(from decoder: any Decoder) throws -> ToolUse? {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let body =
      try isPresent(.tools, values) || isPresent(.toolChoice, values) ? decoder.orderedBody() : nil
    return try use(
      of: body?[CodingKeys.tools.stringValue], choice: body?[CodingKeys.toolChoice.stringValue],
      allowsSeveral: values.decodeIfPresent(Bool.self, forKey: .parallelToolCalls))
  }

  /// The same of the fields' values.
  static func use(
    of tools: JSONValue?, choice value: JSONValue?, allowsSeveral: Bool?
  ) throws(APIError) -> ToolUse? {
    var tools = try Self.tools(tools)
    var value = value
    if let allowed = try allowed(value, among: tools) { (tools, value) = allowed }
    guard let choice = try choice(value, among: tools), !tools.isEmpty else { return nil }
    do throws(JSONSchemaError) {
      return try ToolUse(tools: tools, choice: choice, allowsSeveral: allowsSeveral)
    } catch {
      throw .badRequest(
        "'tools' can't be kept to: \(error)", code: "invalid_schema", param: "tools")
    }
  }

  private static func isPresent(
    _ key: CodingKeys, _ values: KeyedDecodingContainer<CodingKeys>
  ) throws -> Bool {
    try values.contains(key) && !values.decodeNil(forKey: key)
  }

  private static func tools(_ value: JSONValue?) throws(APIError) -> [Tool] {
    guard let value, !value.isNull else { return [] }
    guard case .array(let items) = value else {
      throw .badRequest("'tools' must be a list", code: "invalid_type", param: "tools")
    }
    guard items.count <= maximumTools else {
      throw .badRequest("'tools' has more than \(maximumTools) entries", param: "tools")
    }
    var tools: [Tool] = []
    for (index, item) in items.enumerated() {
      let tool = try tool(item, at: "tools[\(index)]")
      guard !tools.contains(where: { $0.function.name == tool.function.name }) else {
        throw .badRequest(
          "'tools' has two functions with the name '\(tool.function.name)'", param: "tools")
      }
      tools.append(tool)
    }
    return tools
  }

  private static func tool(_ value: JSONValue, at path: String) throws(APIError) -> Tool {
    guard let type = value["type"] else {
      throw .badRequest(
        "'\(path).type' is missing", code: "missing_field", param: "\(path).type")
    }
    guard case .string(let type) = type else {
      throw .badRequest(
        "'\(path).type' must be a text", code: "invalid_type", param: "\(path).type")
    }
    guard type == "function" else {
      throw .badRequest(
        "tools of the type '\(type.prefix(40))' are not supported, only functions",
        code: "unsupported_parameter", param: "\(path).type")
    }
    guard let function = value["function"], case .string(let name)? = function["name"] else {
      throw .badRequest(
        "'\(path).function.name' is missing"
          + (value["name"] == nil
            ? ""
            : "; a function stands as {\"type\": \"function\", \"function\": {\"name\": ...}}"),
        code: "missing_field", param: "\(path).function.name")
    }
    guard !name.isEmpty, name.utf8.count <= maximumNameBytes,
      name.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x22 && $0 != 0x5C && $0 != 0x7F })
    else {
      throw .badRequest(
        "'\(path).function.name' must be 1 to \(maximumNameBytes) bytes without spaces and quotes",
        param: "\(path).function.name")
    }
    var parameters: JSONValue?
    switch function["parameters"] {
    case nil, .null?: break
    case .object(let pairs)?:
      parameters = pairs.isEmpty ? nil : function["parameters"]
      if let type = parameters?["type"], type != .string("object") {
        throw .badRequest(
          "'\(path).function.parameters' must describe an object: its 'type' is another",
          param: "\(path).function.parameters")
      }
    default:
      throw .badRequest(
        "'\(path).function.parameters' must be a JSON schema", code: "invalid_type",
        param: "\(path).function.parameters")
    }
    var description: String?
    if case .string(let text)? = function["description"] { description = text }
    return Tool(
      function: ToolFunction(
        name: name, parameters: parameters, isStrict: function["strict"] == .bool(true)),
      description: description, requestField: value)
  }

  /// Of a choice that allows some of the tools alone, these and what there is to choose about them; nil for any other.
  private static func allowed(
    _ value: JSONValue?, among tools: [Tool]
  ) throws(APIError) -> ([Tool], JSONValue?)? {
    guard value?["type"] == .string("allowed_tools"), let value else { return nil }
    let param = CodingKeys.toolChoice.stringValue
    let allowed = value["allowed_tools"] ?? value
    guard case .array(let items)? = allowed["tools"] else {
      throw .badRequest(
        "'\(param).allowed_tools.tools' must be a list", code: "invalid_type", param: param)
    }
    var names: Set<String> = []
    for item in items {
      guard case .string(let name)? = item["function"]?["name"] ?? item["name"],
        tools.contains(where: { $0.function.name == name })
      else {
        throw .badRequest(
          "'\(param).allowed_tools' names a function that is not among 'tools'", param: param)
      }
      names.insert(name)
    }
    return (tools.filter { names.contains($0.function.name) }, allowed["mode"])
  }

  /// Nil for 'none'.
  private static func choice(
    _ value: JSONValue?, among tools: [Tool]
  ) throws(APIError) -> ToolUse.Choice? {
    let param = CodingKeys.toolChoice.stringValue
    var choice: ToolUse.Choice
    switch value {
    case nil, .null?, .string("auto")?: return .auto
    case .string("none")?: return nil
    case .string("required")?: choice = .required
    default:
      guard case .string(let name)? = value?["function"]?["name"] ?? value?["name"] else {
        throw .badRequest(
          "'\(param)' must be none, auto, required, name a function or list allowed_tools",
          param: param)
      }
      choice = .named(name)
      guard tools.isEmpty || tools.contains(where: { $0.function.name == name }) else {
        throw .badRequest(
          "'\(param)' names '\(name.prefix(60))', which is not among 'tools'", param: param)
      }
    }
    guard !tools.isEmpty else {
      throw .badRequest("'\(param)' asks for a call, but there are no 'tools'", param: param)
    }
    return choice
  }
}
