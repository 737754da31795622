import Generation

/// How a request asks for log-probabilities. Both ways give the number of alternatives to each token; nil where none
/// are asked for.
enum LogprobsBody {
  private enum CodingKeys: String, CodingKey {
    case logprobs
    case topLogprobs = "top_logprobs"
  }

  /// `/v1/chat/completions`: `"logprobs": true`, and perhaps `top_logprobs`.
  static func ofChat(_ decoder: any Decoder) throws -> Int? {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let count = try values.wholeNumberIfPresent(forKey: .topLogprobs) as Int?
    // Zero is what a completion would have there.
    let isZero = (try? values.decodeIfPresent(Double.self, forKey: .logprobs)) == 0
    guard try !isZero && values.decodeIfPresent(Bool.self, forKey: .logprobs) == true else {
      guard count ?? 0 == 0 else {
        throw APIError.badRequest("'top_logprobs' needs 'logprobs': true", param: "top_logprobs")
      }
      return nil
    }
    return try checked(count ?? 0, "top_logprobs")
  }

  /// `/v1/completions`: `logprobs` is the number itself.
  static func ofCompletion(_ decoder: any Decoder) throws -> Int? {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    // What a chat would have there.
    if let isOn = try? values.decodeIfPresent(Bool.self, forKey: .logprobs), !isOn { return nil }
    return try (values.wholeNumberIfPresent(forKey: .logprobs) as Int?).map {
      try checked($0, "logprobs")
    }
  }

  private static func checked(_ count: Int, _ name: String) throws -> Int {
    guard (0...SamplingParameters.Limit.logprobs).contains(count) else {
      throw APIError.badRequest(
        "'\(name)' must be 0 to \(SamplingParameters.Limit.logprobs)", param: name)
    }
    return count
  }
}
