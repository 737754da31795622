import Generation
import JSON

/// `options` of Ollama's requests: how tokens are chosen. Those about a runner's memory and threads have no meaning here,
/// and are ignored.
struct OllamaOptions: Decodable, Sendable {
  var temperature: Float?
  var topP: Float?
  var topK: Int?
  var minP: Float?
  var repeatPenalty: Float?
  var frequencyPenalty: Float?
  var presencePenalty: Float?
  var seed: Int64?
  var stop: StopBody?
  /// -1 and -2 are no limit of the caller's.
  var numPredict: Int?

  private enum CodingKeys: String, CodingKey {
    case temperature, seed, stop
    case topP = "top_p"
    case topK = "top_k"
    case minP = "min_p"
    case repeatPenalty = "repeat_penalty"
    case frequencyPenalty = "frequency_penalty"
    case presencePenalty = "presence_penalty"
    case numPredict = "num_predict"
  }

  init() {}

  init(from decoder: any Decoder) throws {
    // A limit that is passed over could send a private prompt away.
    try RoutingExtension.refuseMisplaced(in: decoder, of: "thalamus")
    for key in try decoder.container(keyedBy: AnyCodingKey.self).allKeys
    where key.stringValue == "thalamus" {
      throw APIError.badRequest(
        "'thalamus' belongs beside 'options', not into it", code: "misplaced_key",
        param: "options.thalamus")
    }
    let values = try decoder.container(keyedBy: CodingKeys.self)
    temperature = try values.decodeIfPresent(Float.self, forKey: .temperature)
    topP = try values.decodeIfPresent(Float.self, forKey: .topP)
    topK = try values.wholeNumberIfPresent(forKey: .topK)
    minP = try values.decodeIfPresent(Float.self, forKey: .minP)
    repeatPenalty = try values.decodeIfPresent(Float.self, forKey: .repeatPenalty)
    frequencyPenalty = try values.decodeIfPresent(Float.self, forKey: .frequencyPenalty)
    presencePenalty = try values.decodeIfPresent(Float.self, forKey: .presencePenalty)
    seed = try values.wholeNumberIfPresent(forKey: .seed)
    stop = try values.decodeIfPresent(StopBody.self, forKey: .stop)
    let limit: Int? = try values.wholeNumberIfPresent(forKey: .numPredict)
    numPredict = limit.flatMap { $0 < 0 ? nil : $0 }
  }

  func parameters(defaultMaxTokens: Int, defaultTemperature: Double) -> SamplingParameters {
    var parameters = SamplingParameters(
      temperature: temperature ?? Float(defaultTemperature),
      seed: seed.map { UInt64(bitPattern: $0) }, maxTokens: numPredict ?? defaultMaxTokens)
    if let topP { parameters.topP = topP }
    if let topK { parameters.topK = max(0, topK) }
    if let minP { parameters.minP = minP }
    if let repeatPenalty { parameters.repetitionPenalty = repeatPenalty }
    if let frequencyPenalty { parameters.frequencyPenalty = frequencyPenalty }
    if let presencePenalty { parameters.presencePenalty = presencePenalty }
    if let stop { parameters.stop = stop.texts }
    return parameters
  }
}
