import Thalamus

/// The body of `POST /v1/completions`: prompts to continue as they stand.
package struct CompletionBody: Decodable, Sendable {
  package let model: String
  /// A prompt as it was sent.
  package enum Prompt: Equatable, Sendable {
    case text(String)
    /// Ids of the named expert's tokens.
    case tokens([Int])

    var isEmpty: Bool {
      switch self {
      case .text(let text): text.isEmpty
      case .tokens(let tokens): tokens.isEmpty
      }
    }
  }

  /// Never empty, and none of them is.
  package let prompts: [Prompt]
  /// How many answers to each are asked for.
  package let count: Int
  package let streams: Bool
  package let includesUsage: Bool
  package let echoes: Bool
  /// Alternatives to each token that are asked for; nil where no log-probabilities are.
  package let logprobs: Int?
  package let routing: RoutingExtension
  package let fields: GenerationFields

  /// Whether the prompt alone is asked for, to be given back with its scores.
  package var makesNothing: Bool { echoes && logprobs != nil && fields.maxTokens == 0 }

  private enum CodingKeys: String, CodingKey {
    case model, prompt, stream, n, echo, thalamus
    case streamOptions = "stream_options"
  }

  private struct StreamOptions: Decodable {
    let include_usage: Bool?
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    model = try values.decodeIfPresent(String.self, forKey: .model) ?? "auto"
    guard values.contains(.prompt) else {
      throw APIError.badRequest("'prompt' is missing", code: "missing_field", param: "prompt")
    }
    if let text = try? values.decode(String.self, forKey: .prompt) {
      prompts = [.text(text)]
    } else if let texts = try? values.decode([String].self, forKey: .prompt) {
      prompts = texts.map(Prompt.text)
    } else if let tokens = try? values.decode([Int].self, forKey: .prompt) {
      prompts = [.tokens(tokens)]
    } else if let lists = try? values.decode([[Int]].self, forKey: .prompt) {
      prompts = lists.map(Prompt.tokens)
    } else {
      throw APIError.badRequest(
        "'prompt' must be a text, a list of texts, a list of token ids, or a list of such lists",
        code: "invalid_type", param: "prompt")
    }
    guard !prompts.isEmpty, !prompts.contains(where: \.isEmpty) else {
      throw APIError.badRequest("'prompt' is empty", param: "prompt")
    }
    guard prompts.count <= ChoiceCount.limit else {
      throw APIError.badRequest(
        "'prompt' has \(prompts.count) prompts; at most \(ChoiceCount.limit)", param: "prompt")
    }
    let count = try ChoiceCount.decode(from: values, forKey: .n, prompts: prompts.count)
    self.count = count
    streams = try values.decodeIfPresent(Bool.self, forKey: .stream) ?? false
    includesUsage =
      try values.decodeIfPresent(StreamOptions.self, forKey: .streamOptions)?.include_usage ?? false
    echoes = try values.decodeIfPresent(Bool.self, forKey: .echo) ?? false
    try decoder.refuseUnsupported(["suffix", "best_of"] + ResponseFormatBody.otherNames) {
      name, value in
      // The best few of as many are all of them.
      (try? value.decode(Int.self)) == count && name == "best_of"
        || (try? value.decode(String.self)) == "" && name == "suffix"
    }
    logprobs = try LogprobsBody.ofCompletion(decoder)
    routing = try RoutingExtension(in: values, forKey: .thalamus, of: decoder)
    fields = try GenerationFields(from: decoder)
  }
}
