import Routing
import Thalamus

/// The body of `POST /route`.
package struct RouteBody: Decodable, Sendable {
  package let input: PromptInput
  package let weights: GoalWeights
  package let constraints: Constraints
  package let strategy: String?
  package let generates: Bool
  package let streams: Bool
  package let fields: GenerationFields

  private enum CodingKeys: String, CodingKey, CaseIterable {
    case prompt, messages, flags, constraints, strategy, generate, stream
  }

  package init(from decoder: any Decoder) throws {
    try decoder.rejectUnknownKeys(
      CodingKeys.allCases.map(\.rawValue) + GenerationFields.CodingKeys.allCases.map(\.rawValue))
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let prompt = try values.decodeIfPresent(String.self, forKey: .prompt)
    let messages = try values.decodeIfPresent([MessageBody].self, forKey: .messages)
    switch (prompt, messages) {
    case (let prompt?, nil):
      guard !prompt.isEmpty else {
        throw APIError.badRequest("'prompt' is empty", param: "prompt")
      }
      input = .prompt(prompt)
    case (nil, let messages?):
      guard !messages.isEmpty else {
        throw APIError.badRequest("'messages' is empty", param: "messages")
      }
      input = .messages(messages.map(\.chatMessage))
    case (nil, nil):
      throw APIError.badRequest(
        "'prompt' or 'messages' is needed", code: "missing_field", param: "prompt")
    case (_?, _?):
      throw APIError.badRequest("give 'prompt' or 'messages', not both", param: "messages")
    }
    weights = try values.decodeIfPresent(GoalWeights.self, forKey: .flags) ?? GoalWeights()
    constraints =
      try values.decodeIfPresent(Constraints.self, forKey: .constraints) ?? Constraints()
    strategy = try values.decodeIfPresent(String.self, forKey: .strategy)
    generates = try values.decodeIfPresent(Bool.self, forKey: .generate) ?? true
    streams = try values.decodeIfPresent(Bool.self, forKey: .stream) ?? false
    fields = try GenerationFields(from: decoder)
  }

  package func routingRequest(defaultMaxTokens: Int) -> RoutingRequest {
    RoutingRequest(
      input: input, weights: weights, constraints: constraints, strategy: strategy,
      maxTokens: fields.maxTokens ?? defaultMaxTokens, seed: fields.seed)
  }
}
