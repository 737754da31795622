import Generation
import JSON
import Routing
import Tokenization

/// The body of a request to an OpenAI-compatible endpoint.
package enum CompletionRequest {
  /// Where to send it, behind the endpoint's base.
  package static func path(of input: ExpertInput) -> String {
    switch input {
    case .messages: "/chat/completions"
    case .continuation, .tokens: "/completions"
    }
  }

  /// What the endpoint is asked. Parameters that are not OpenAI's own (`top_k` and so on) are in it only where the
  /// caller gave them: endpoints refuse what they don't know.
  package static func body(
    _ input: ExpertInput, parameters: SamplingParameters, endpoint: Endpoint
  ) -> [UInt8] {
    var fields: [Endpoint.BodyField] = []
    func add(_ name: String, _ write: (inout JSONWriter) -> Void) {
      var json = JSONWriter()
      write(&json)
      fields.append(.init(name: name, json: json.bytes))
    }
    func add(_ name: String, _ value: Float, unless plain: Float) {
      if value != plain { add(name) { $0.number(Self.double(value)) } }
    }
    add("model") { $0.string(endpoint.model) }
    switch input {
    case .messages(let messages):
      add("messages") { json in
        json.array(messages) { json, message in
          json.object { json in
            json.member("role", message.role)
            // Endpoints want null beside calls, where there is no text.
            if message.content.isEmpty, message.images.isEmpty, !message.toolCalls.isEmpty {
              json.key("content")
              json.null()
            } else if message.images.isEmpty {
              json.member("content", message.content)
            } else {
              json.key("content")
              json.array(message.parts) { $0.value(Self.field(of: $1)) }
            }
            json.member("tool_call_id", message.toolCallID)
            if !message.toolCalls.isEmpty {
              json.key("tool_calls")
              json.array(message.toolCalls) { $0.value(Self.field(of: $1)) }
            }
          }
        }
      }
    case .continuation(let text), .tokens(_, let text): add("prompt") { $0.string(text) }
    }
    add("stream") { $0.bool(true) }
    add("stream_options") { $0.raw(#"{"include_usage":true}"#.utf8) }
    add("temperature") { $0.number(Self.double(parameters.temperature)) }
    if let count = parameters.maxTokens {
      add(endpoint.maxTokensField) { $0.number(Double(count)) }
    }
    add("top_p", parameters.topP, unless: 1)
    add("frequency_penalty", parameters.frequencyPenalty, unless: 0)
    add("presence_penalty", parameters.presencePenalty, unless: 0)
    add("top_k", Float(parameters.topK), unless: 0)
    add("min_p", parameters.minP, unless: 0)
    add("repetition_penalty", parameters.repetitionPenalty, unless: 1)
    if let seed = parameters.seed { add("seed") { $0.raw("\(Int64(bitPattern: seed))".utf8) } }
    if !parameters.stop.isEmpty {
      add("stop") { json in json.array(parameters.stop) { $0.string($1) } }
    }
    if let tools = parameters.tools {
      add("tools") { json in json.array(tools.tools) { $0.value($1.requestField) } }
      switch tools.choice {
      case .auto: break
      case .required: add("tool_choice") { $0.string("required") }
      case .named(let name):
        add("tool_choice") {
          $0.value(
            .object([
              ("type", .string("function")), ("function", .object([("name", .string(name))])),
            ]))
        }
      }
      if let several = tools.allowsSeveral { add("parallel_tool_calls") { $0.bool(several) } }
    }
    if let format = parameters.format {
      add("response_format") { $0.value(format.requestField) }
    }
    let reasoning = parameters.reasoning
    if let effort = reasoning.effort
      ?? (reasoning.isEnabled == false ? ReasoningRequest.Effort.none : nil)
    {
      add("reasoning_effort") { $0.string(effort.rawValue) }
    }
    if let budget = reasoning.budgetTokens {
      add("thinking_budget_tokens") { $0.number(Double(budget)) }
    }
    if !reasoning.templateVariables.isEmpty {
      add("chat_template_kwargs") { json in
        json.value(
          .object(
            reasoning.templateVariables.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
      }
    }
    if !parameters.logitBias.isEmpty {
      add("logit_bias") { json in
        json.object { json in
          for (token, bias) in parameters.logitBias.sorted(by: { $0.key < $1.key }) {
            json.member("\(token)", Self.double(bias))
          }
        }
      }
    }
    return object(fields, endpoint: endpoint, last: [])
  }

  private static func field(of part: ChatMessage.Part) -> JSONValue {
    switch part {
    case .text(let text): return .object([("type", .string("text")), ("text", .string(text))])
    case .image(let image):
      let detail = image.detail.map { [(key: "detail", value: JSONValue.string($0))] } ?? []
      return .object([
        ("type", .string("image_url")),
        ("image_url", .object([("url", .string(image.url))] + detail)),
      ])
    }
  }

  private static func field(of call: ToolCall) -> JSONValue {
    .object([
      ("id", .string(call.id)), ("type", .string("function")),
      (
        "function",
        .object([("name", .string(call.name)), ("arguments", .string(call.arguments))])
      ),
    ])
  }

  typealias Member = (name: String, write: (inout JSONWriter) -> Void)

  /// An object of some members, those that the card puts into each request, and some that nothing takes the place of.
  static func object(_ members: [Member], endpoint: Endpoint, last: [Member]) -> [UInt8] {
    object(members.map(field), endpoint: endpoint, last: last.map(field))
  }

  private static func field(_ member: Member) -> Endpoint.BodyField {
    var json = JSONWriter()
    member.write(&json)
    return .init(name: member.name, json: json.bytes)
  }

  private static func object(
    _ members: [Endpoint.BodyField], endpoint: Endpoint, last: [Endpoint.BodyField]
  ) -> [UInt8] {
    var fields = members
    for field in endpoint.bodyFields + last {
      fields.removeAll { $0.name == field.name }
      fields.append(field)
    }
    var json = JSONWriter(capacity: 1024)
    json.object { json in
      for field in fields {
        guard let value = field.json else { continue }
        json.key(field.name)
        json.raw(value)
      }
    }
    return json.bytes
  }

  /// The number that was written: 0.7, not 0.699999988.
  private static func double(_ value: Float) -> Double {
    Double(value.description) ?? Double(value)
  }
}
