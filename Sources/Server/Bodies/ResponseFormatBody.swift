import Generation
import Grammar
import JSON

/// `response_format`: what the answer has to look like, in OpenAI's words; or a schema alone under `json_schema`, as
/// llama-server has it.
enum ResponseFormatBody {
  enum CodingKeys: String, CodingKey {
    case responseFormat = "response_format"
    case jsonSchema = "json_schema"
  }

  /// What llama-server, vLLM and Ollama have for formats besides: an answer in another form than was asked for would be
  /// worse than none.
  static let otherNames = [
    "grammar", "guided_json", "guided_choice", "guided_regex", "guided_grammar", "format",
  ]

  /// The format in a request's body; nil where it asks for any text.
  static func decode(from decoder: any Decoder) throws -> AnswerFormat? {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    for key in [CodingKeys.responseFormat, .jsonSchema]
    where try values.contains(key) && !values.decodeNil(forKey: key) {
      guard let body = try decoder.orderedBody(), let value = body[key.stringValue] else {
        return nil
      }
      return key == .responseFormat
        ? try format(value)
        : try schema(
          value, field: schemaField(value), param: key.stringValue)
    }
    return nil
  }

  /// The format that an object with a `type` asks for.
  static func format(
    _ value: JSONValue, param: String = CodingKeys.responseFormat.stringValue
  ) throws(APIError) -> AnswerFormat? {
    guard case .object = value, case .string(let type)? = value["type"] else {
      throw .badRequest(
        "'\(param)' must be an object with a 'type'", code: "invalid_type", param: param)
    }
    switch type {
    case "text": return nil
    case "json_object":
      // Some servers have a schema here.
      if let found = value["schema"], !found.isNull {
        return try schema(found, field: schemaField(found), param: param)
      }
      return Grammar.jsonObject.map { AnswerFormat(grammar: $0, requestField: value) }
    case "json_schema":
      if let found = value["json_schema"]?["schema"], !found.isNull {
        return try schema(
          found, field: value, param: param,
          isStrict: value["json_schema"]?["strict"] != .bool(false))
      }
      guard let found = value["schema"], !found.isNull else {
        throw .badRequest(
          "'\(param).json_schema.schema' is missing", code: "missing_field", param: param)
      }
      return try schema(found, field: schemaField(found), param: param)
    default:
      throw .badRequest(
        "\(param) '\(type.prefix(40))' is not supported; known: text, json_object, json_schema",
        code: "unsupported_parameter", param: param)
    }
  }

  private static func schema(
    _ schema: JSONValue, field: JSONValue, param: String, isStrict: Bool = true
  ) throws(APIError) -> AnswerFormat {
    do throws(JSONSchemaError) {
      return AnswerFormat(
        grammar: try Grammar.json(schema: schema, isStrict: isStrict), requestField: field)
    } catch {
      throw .badRequest(
        "the JSON schema in '\(param)' can't be kept to: \(error)", code: "invalid_schema",
        param: param)
    }
  }

  /// A schema as OpenAI's API wants it.
  private static func schemaField(_ schema: JSONValue) -> JSONValue {
    .object([
      ("type", .string("json_schema")),
      (
        "json_schema",
        .object([("name", .string("answer")), ("schema", schema), ("strict", .bool(true))])
      ),
    ])
  }
}
