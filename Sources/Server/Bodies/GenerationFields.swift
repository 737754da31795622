import Generation

/// The sampling fields that `/route` and the OpenAI-compatible routes share.
struct GenerationFields: Decodable, Sendable {
  var maxTokens: Int?
  var temperature: Float?
  var topP: Float?
  var topK: Int?
  var minP: Float?
  var repetitionPenalty: Float?
  var frequencyPenalty: Float?
  var presencePenalty: Float?
  var seed: UInt64?
  var stop: StopBody?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case temperature, seed, stop
    case maxTokens = "max_tokens"
    case maxCompletionTokens = "max_completion_tokens"
    case topP = "top_p"
    case topK = "top_k"
    case minP = "min_p"
    case repetitionPenalty = "repetition_penalty"
    case frequencyPenalty = "frequency_penalty"
    case presencePenalty = "presence_penalty"
  }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    maxTokens =
      try values.decodeIfPresent(Int.self, forKey: .maxCompletionTokens)
      ?? values.decodeIfPresent(Int.self, forKey: .maxTokens)
    temperature = try values.decodeIfPresent(Float.self, forKey: .temperature)
    topP = try values.decodeIfPresent(Float.self, forKey: .topP)
    topK = try values.decodeIfPresent(Int.self, forKey: .topK)
    minP = try values.decodeIfPresent(Float.self, forKey: .minP)
    repetitionPenalty = try values.decodeIfPresent(Float.self, forKey: .repetitionPenalty)
    frequencyPenalty = try values.decodeIfPresent(Float.self, forKey: .frequencyPenalty)
    presencePenalty = try values.decodeIfPresent(Float.self, forKey: .presencePenalty)
    // Clients send negative seeds too; any 64 bits are a seed.
    if let signed = try? values.decodeIfPresent(Int64.self, forKey: .seed) {
      seed = UInt64(bitPattern: signed)
    } else {
      seed = try values.decodeIfPresent(UInt64.self, forKey: .seed)
    }
    stop = try values.decodeIfPresent(StopBody.self, forKey: .stop)
  }

  /// The parameters of the generation; what is not given keeps the server's defaults.
  func parameters(defaultMaxTokens: Int?, defaultTemperature: Double) -> SamplingParameters {
    var parameters = SamplingParameters(
      temperature: temperature ?? Float(defaultTemperature), seed: seed,
      maxTokens: maxTokens ?? defaultMaxTokens)
    if let topP { parameters.topP = topP }
    if let topK { parameters.topK = topK }
    if let minP { parameters.minP = minP }
    if let repetitionPenalty { parameters.repetitionPenalty = repetitionPenalty }
    if let frequencyPenalty { parameters.frequencyPenalty = frequencyPenalty }
    if let presencePenalty { parameters.presencePenalty = presencePenalty }
    if let stop { parameters.stop = stop.texts }
    return parameters
  }
}
