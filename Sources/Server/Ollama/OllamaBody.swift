import Generation
import JSON
import Thalamus
import Tokenization

/// What Ollama's `/api/chat` and `/api/generate` have alike.
struct OllamaRequest: Decodable, Sendable {
  let model: String
  /// Whether the model is to be let go at once (`keep_alive: 0`).
  let unloads: Bool
  /// Where nothing is said, as Ollama has it.
  let streams: Bool
  let options: OllamaOptions
  /// `"json"`, or a JSON schema.
  let format: AnswerFormat?
  /// `think`: true, false, or how much.
  let reasoning: ReasoningRequest
  let routing: RoutingExtension

  private enum CodingKeys: String, CodingKey {
    case model, stream, options, format, thalamus, think
    case keepAlive = "keep_alive"
  }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    model = try values.decode(String.self, forKey: .model)
    unloads = (try? values.decode(Double.self, forKey: .keepAlive)) == 0
    streams = try values.decodeIfPresent(Bool.self, forKey: .stream) ?? true
    options = try values.decodeIfPresent(OllamaOptions.self, forKey: .options) ?? OllamaOptions()
    routing = try RoutingExtension(in: values, forKey: .thalamus, of: decoder)
    format = try Self.format(
      values.contains(.format) ? decoder.orderedBody()?[CodingKeys.format.stringValue] : nil)
    if let isEnabled = try? values.decodeIfPresent(Bool.self, forKey: .think) {
      reasoning = ReasoningRequest(isEnabled: isEnabled)
    } else if let word = try? values.decodeIfPresent(String.self, forKey: .think) {
      reasoning = ReasoningRequest(effort: try ReasoningBody.effort(word, param: "think"))
    } else if try !values.contains(.think) || values.decodeNil(forKey: .think) {
      reasoning = ReasoningRequest()
    } else {
      throw APIError.badRequest(
        "'think' must be true, false or an effort such as \"low\"", code: "invalid_type",
        param: "think")
    }
  }

  private static func format(_ value: JSONValue?) throws(APIError) -> AnswerFormat? {
    switch value {
    case nil, .null?, .string("")?: return nil
    case .string("json")?:
      return try ResponseFormatBody.format(
        .object([("type", .string("json_object"))]), param: "format")
    case .object?:
      return try ResponseFormatBody.format(
        .object([("type", .string("json_schema")), ("schema", value ?? .null)]), param: "format")
    default:
      throw .badRequest("'format' must be \"json\" or a JSON schema", param: "format")
    }
  }
}

/// The body of Ollama's `POST /api/chat`.
struct OllamaChatBody: Decodable, Sendable {
  let request: OllamaRequest
  /// None asks for no answer, but that the model be loaded.
  let messages: [ChatMessage]
  let tools: ToolUse?

  private enum CodingKeys: String, CodingKey { case messages, tools }

  private struct Message: Decodable {
    let role: String
    let content: String?
    let thinking: String?
    let images: [String]?
    let tool_name: String?
  }

  init(from decoder: any Decoder) throws {
    request = try OllamaRequest(from: decoder)
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let bodies = try values.decodeIfPresent([Message].self, forKey: .messages) ?? []
    let ordered = try decoder.orderedBody()
    var messages: [ChatMessage] = []
    // Ollama's calls have no ids: what came of them stands in their order.
    var open: [ToolCall] = []
    for (index, message) in bodies.enumerated() {
      guard ["system", "user", "assistant", "tool"].contains(message.role) else {
        throw APIError.badRequest(
          "'messages[\(index)].role' must be system, user, assistant or tool",
          param: "messages[\(index)].role")
      }
      let images = try OllamaImages.images(
        message.images ?? [], at: "messages[\(index)].images")
      guard images.isEmpty || message.role == "user" || message.role == "tool" else {
        throw APIError.badRequest(
          "'messages[\(index)].images': only a user's message and a tool's show images",
          param: "messages[\(index)].images")
      }
      // Ollama says not where they stand: its models see them first.
      var made = ChatMessage(role: message.role, parts: images + [.text(message.content ?? "")])
      if message.role == "assistant", message.thinking?.isEmpty == false {
        made.reasoning = message.thinking
      }
      if message.role == "assistant", case .array(let list)? = ordered?["messages"],
        index < list.count,
        case .array(let calls)? = list[index]["tool_calls"]
      {
        made.toolCalls = calls.enumerated().compactMap { place, call in
          guard case .string(let name)? = call["function"]?["name"] else { return nil }
          let arguments = call["function"]?["arguments"] ?? .object([])
          return ToolCall(
            id: "call_\(index)_\(place)", name: name,
            arguments: String(decoding: arguments.json, as: UTF8.self))
        }
        open = made.toolCalls
      }
      if message.role == "tool", !open.isEmpty {
        let place = open.firstIndex { $0.name == message.tool_name } ?? 0
        made.toolCallID = open.remove(at: place).id
      }
      messages.append(made)
    }
    self.messages = messages
    tools = try ToolsBody.use(
      of: values.contains(.tools) ? ordered?["tools"] : nil, choice: nil, allowsSeveral: nil)
  }
}

/// The body of Ollama's `POST /api/generate`.
struct OllamaGenerateBody: Decodable, Sendable {
  let request: OllamaRequest
  /// Nil asks for no answer, but that the model be loaded.
  let input: PromptInput?

  private enum CodingKeys: String, CodingKey { case prompt, system, raw, images, suffix }

  init(from decoder: any Decoder) throws {
    request = try OllamaRequest(from: decoder)
    let values = try decoder.container(keyedBy: CodingKeys.self)
    try decoder.refuseUnsupported(["suffix", "template", "context"]) { _, value in
      (try? value.decode(String.self)) == "" || (try? value.decode([Int].self)) == []
        || (try? value.decode([String].self)) == []
    }
    let prompt = try values.decodeIfPresent(String.self, forKey: .prompt) ?? ""
    let images = try OllamaImages.images(
      try values.decodeIfPresent([String].self, forKey: .images) ?? [], at: "images")
    let system = try values.decodeIfPresent(String.self, forKey: .system) ?? ""
    if prompt.isEmpty, images.isEmpty {
      input = nil
    } else if try values.decodeIfPresent(Bool.self, forKey: .raw) ?? false {
      guard images.isEmpty else {
        throw APIError.badRequest("'images' are for chats, and not for a raw text", param: "images")
      }
      input = .continuation(prompt)
    } else if !system.isEmpty || !images.isEmpty {
      input = .messages(
        (system.isEmpty ? [] : [ChatMessage(role: "system", content: system)])
          + [ChatMessage(role: "user", parts: images + [.text(prompt)])])
    } else {
      input = .prompt(prompt)
    }
  }
}

/// The bodies of Ollama's `POST /api/embed` and its older `POST /api/embeddings`.
struct OllamaEmbedBody: Decodable, Sendable {
  let model: String
  let texts: [String]

  private enum CodingKeys: String, CodingKey { case model, input, prompt }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    model = try values.decode(String.self, forKey: .model)
    if let one = try? values.decode(String.self, forKey: .input) {
      texts = [one]
    } else if values.contains(.input) {
      texts = try values.decode([String].self, forKey: .input)
    } else {
      texts = [try values.decode(String.self, forKey: .prompt)]
    }
    guard (1...EmbeddingsBody.maximumTexts).contains(texts.count) else {
      throw APIError.badRequest(
        "'input' must have 1 to \(EmbeddingsBody.maximumTexts) texts", param: "input")
    }
  }
}
