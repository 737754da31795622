import HTTP
import JSON

/// A route as the document tells of it.
struct OpenAPIOperation {
  /// A parameter of the query.
  typealias Parameter = (name: String, schema: JSONValue)

  let method: HTTPMethod
  let path: String
  /// Whose API it is part of.
  let tag: String
  let summary: String
  var query: [Parameter] = []
  /// Name of the body's schema.
  var body: String?
  /// What is answered: types of content, each with its schema.
  var answers: [(contentType: String, schema: JSONValue)]
  /// Whether a key is never asked for.
  var isOpen = false

  /// With an answer in JSON.
  init(
    _ method: HTTPMethod, _ path: String, _ tag: String, _ summary: String,
    query: [Parameter] = [], body: String? = nil, answer: JSONValue
  ) {
    self.init(
      method: method, path: path, tag: tag, summary: summary, query: query, body: body,
      answers: [("application/json", answer)])
  }

  init(
    method: HTTPMethod, path: String, tag: String, summary: String, query: [Parameter] = [],
    body: String? = nil, answers: [(contentType: String, schema: JSONValue)], isOpen: Bool = false
  ) {
    self.method = method
    self.path = path
    self.tag = tag
    self.summary = summary
    self.query = query
    self.body = body
    self.answers = answers
    self.isOpen = isOpen
  }

  /// The same with an answer that may also be streamed.
  func streaming(as contentType: String = "text/event-stream") -> OpenAPIOperation {
    var operation = self
    operation.answers.append((contentType, APISchema.text))
    return operation
  }

  /// The same for everybody.
  var open: OpenAPIOperation {
    var operation = self
    operation.isOpen = true
    return operation
  }

  var json: JSONValue {
    var pairs: [(key: String, value: JSONValue)] = [
      ("tags", .array([.string(tag)])), ("summary", .string(summary)),
      ("operationId", .string(id)),
    ]
    let parameters =
      path.split(separator: "/").filter { $0.hasPrefix("{") }.map {
        Self.parameter(String($0.dropFirst().dropLast()), in: "path", APISchema.text, true)
      } + query.map { Self.parameter($0.name, in: "query", $0.schema, false) }
    if !parameters.isEmpty { pairs.append(("parameters", .array(parameters))) }
    if let body {
      pairs.append(
        (
          "requestBody",
          .object([
            ("required", .bool(true)),
            ("content", Self.content([("application/json", APISchema.ref(body))])),
          ])
        ))
    }
    let answer = JSONValue.object([
      ("description", .string("The answer.")), ("content", Self.content(answers)),
    ])
    pairs.append(
      (
        "responses",
        .object([
          ("200", answer),
          ("default", .object([("$ref", .string("#/components/responses/\(error)"))])),
        ])
      ))
    if isOpen { pairs.append(("security", .array([]))) }
    return .object(pairs)
  }

  /// `post_v1_chat_completions`.
  private var id: String {
    let words = path.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
    return ([method.rawValue.lowercased()] + words.map(String.init)).joined(separator: "_")
  }

  /// The form of its errors.
  private var error: String {
    let request = HTTPRequest(method, path)
    return request.isAnthropics ? "AnthropicError" : request.isOllamas ? "OllamaError" : "Error"
  }

  private static func content(_ types: [(contentType: String, schema: JSONValue)]) -> JSONValue {
    .object(types.map { ($0.contentType, .object([("schema", $0.schema)])) })
  }

  private static func parameter(
    _ name: String, in place: String, _ schema: JSONValue, _ isRequired: Bool
  ) -> JSONValue {
    .object([
      ("name", .string(name)), ("in", .string(place)), ("required", .bool(isRequired)),
      ("schema", schema),
    ])
  }
}
