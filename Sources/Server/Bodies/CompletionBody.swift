import Thalamus

/// The body of `POST /v1/completions`: a text to continue as it stands.
package struct CompletionBody: Decodable, Sendable {
  package let model: String
  package let prompt: String
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
    if let one = try? values.decode(String.self, forKey: .prompt) {
      prompt = one
    } else {
      guard values.contains(.prompt) else {
        throw APIError.badRequest("'prompt' is missing", code: "missing_field", param: "prompt")
      }
      guard let several = try? values.decode([String].self, forKey: .prompt) else {
        throw APIError.badRequest(
          "'prompt' must be a text; tokens are not understood", code: "invalid_type",
          param: "prompt")
      }
      guard several.count == 1, let only = several.first else {
        throw APIError.badRequest(
          "'prompt' must be one text", code: "unsupported_value", param: "prompt")
      }
      prompt = only
    }
    guard !prompt.isEmpty else { throw APIError.badRequest("'prompt' is empty", param: "prompt") }
    guard try (values.wholeNumberIfPresent(forKey: .n) ?? 1) == 1 else {
      throw APIError.badRequest("'n' must be 1", code: "unsupported_value", param: "n")
    }
    streams = try values.decodeIfPresent(Bool.self, forKey: .stream) ?? false
    includesUsage =
      try values.decodeIfPresent(StreamOptions.self, forKey: .streamOptions)?.include_usage ?? false
    echoes = try values.decodeIfPresent(Bool.self, forKey: .echo) ?? false
    try decoder.refuseUnsupported(["suffix", "best_of"] + ResponseFormatBody.otherNames) {
      name, value in
      // One of one is what there is anyway.
      (try? value.decode(Int.self)) == 1 && name == "best_of"
        || (try? value.decode(String.self)) == "" && name == "suffix"
    }
    logprobs = try LogprobsBody.ofCompletion(decoder)
    routing = try RoutingExtension(in: values, forKey: .thalamus, of: decoder)
    fields = try GenerationFields(from: decoder)
  }
}
