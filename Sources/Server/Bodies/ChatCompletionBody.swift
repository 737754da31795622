import Generation
import Routing
import Thalamus

/// The body of `POST /v1/chat/completions`, as OpenAI's API has it. Keys that this server does not
/// know are ignored, as other servers do; those that it could not honour are refused.
package struct ChatCompletionBody: Decodable, Sendable {
  package let model: String
  package let messages: [MessageBody]
  /// How many answers are asked for.
  package let count: Int
  package let streams: Bool
  package let includesUsage: Bool
  /// Alternatives to each token that are asked for; nil where no log-probabilities are.
  package let logprobs: Int?
  package let routing: RoutingExtension
  package let fields: GenerationFields
  /// Functions that the answer may ask for; nil where it may not.
  package let tools: ToolUse?

  private enum CodingKeys: String, CodingKey {
    case model, messages, stream, n, functions, thalamus
    case streamOptions = "stream_options"
  }

  private struct StreamOptions: Decodable {
    let include_usage: Bool?
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    model = try values.decodeIfPresent(String.self, forKey: .model) ?? "auto"
    messages = try values.decode([MessageBody].self, forKey: .messages)
    guard !messages.isEmpty else {
      throw APIError.badRequest("'messages' is empty", param: "messages")
    }
    streams = try values.decodeIfPresent(Bool.self, forKey: .stream) ?? false
    includesUsage =
      try values.decodeIfPresent(StreamOptions.self, forKey: .streamOptions)?.include_usage ?? false
    count = try ChoiceCount.decode(from: values, forKey: .n)
    if try Self.isFilled(values, .functions) {
      throw APIError.badRequest(
        "'functions' is not supported; 'tools' is its successor", code: "unsupported_parameter",
        param: "functions")
    }
    tools = try ToolsBody.decode(from: decoder)
    try decoder.refuseUnsupported(["modalities", "audio"] + ResponseFormatBody.otherNames) {
      name, value in
      // Text is all that is given anyway.
      name == "modalities" && (try? value.decode([String].self)) == ["text"]
    }
    logprobs = try LogprobsBody.ofChat(decoder)
    routing = try RoutingExtension(in: values, forKey: .thalamus, of: decoder)
    fields = try GenerationFields(from: decoder)
  }

  private static func isFilled(
    _ values: KeyedDecodingContainer<CodingKeys>, _ key: CodingKeys
  ) throws -> Bool {
    guard values.contains(key), try !values.decodeNil(forKey: key) else { return false }
    return try values.nestedUnkeyedContainer(forKey: key).count != 0
  }
}

/// `"thalamus": {...}` in an OpenAI-compatible request: what `/route` takes besides.
package struct RoutingExtension: Decodable, Sendable {
  package var weights = GoalWeights()
  package var constraints = Constraints()
  package var strategy: String?

  private enum CodingKeys: String, CodingKey, CaseIterable { case flags, constraints, strategy }

  package init() {}

  /// The one of a body, if it has one. Its fields beside it instead of in it would be passed over, among
  /// them limits that keep a prompt at home: they are refused.
  init<Key: CodingKey>(
    in values: KeyedDecodingContainer<Key>, forKey key: Key, of decoder: any Decoder
  ) throws {
    try Self.refuseMisplaced(in: decoder, of: key.stringValue)
    if try decoder.container(keyedBy: AnyCodingKey.self).allKeys
      .contains(where: { $0.stringValue == "extra_body" })
    {
      throw APIError.badRequest(
        "'extra_body' is a parameter of the openai package, which puts what it holds into the body itself",
        code: "misplaced_key", param: "extra_body")
    }
    self = try values.decodeIfPresent(RoutingExtension.self, forKey: key) ?? RoutingExtension()
  }

  /// Throws where an object has fields that belong into the extension.
  ///
  /// - Parameter key: The extension's own.
  static func refuseMisplaced(in decoder: any Decoder, of key: String) throws {
    for misplaced in try decoder.container(keyedBy: CodingKeys.self).allKeys {
      throw APIError.badRequest(
        "'\(misplaced.rawValue)' belongs into '\(key)': "
          + "{\"\(key)\": {\"\(misplaced.rawValue)\": ...}}",
        code: "misplaced_key", param: misplaced.rawValue)
    }
    for limit in try decoder.container(keyedBy: Constraints.CodingKeys.self).allKeys {
      throw APIError.badRequest(
        "'\(limit.rawValue)' belongs into '\(key)': "
          + "{\"\(key)\": {\"constraints\": {\"\(limit.rawValue)\": ...}}}",
        code: "misplaced_key", param: limit.rawValue)
    }
  }

  package init(from decoder: any Decoder) throws {
    try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue))
    let values = try decoder.container(keyedBy: CodingKeys.self)
    weights = try values.decodeIfPresent(GoalWeights.self, forKey: .flags) ?? GoalWeights()
    constraints =
      try values.decodeIfPresent(Constraints.self, forKey: .constraints) ?? Constraints()
    strategy = try values.decodeIfPresent(String.self, forKey: .strategy)
  }

  /// A request for the expert that `model` names, or for the router's choice where it is `auto`.
  package func routingRequest(
    model: String, input: PromptInput, maxTokens: Int, seed: UInt64?
  ) -> RoutingRequest {
    RoutingRequest(
      input: input, weights: weights, constraints: constraints, strategy: strategy,
      expert: model == "auto" ? nil : model, maxTokens: maxTokens, seed: seed)
  }
}
