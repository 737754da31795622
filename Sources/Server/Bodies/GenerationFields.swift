import Generation

/// The sampling fields that `/route` and the OpenAI-compatible routes share.
package struct GenerationFields: Decodable, Sendable {
  package var maxTokens: Int?
  package var temperature: Float?
  package var topP: Float?
  package var topK: Int?
  package var minP: Float?
  package var repetitionPenalty: Float?
  package var frequencyPenalty: Float?
  package var presencePenalty: Float?
  /// Added to the logits of these tokens, which are the chosen expert's own.
  package var logitBias: [Int32: Float]
  package var seed: UInt64?
  package var stop: StopBody?
  /// What the answer has to look like.
  package var format: AnswerFormat?
  /// What is asked of the model's thinking.
  package var reasoning: ReasoningRequest
  /// Experts a token in a mixture of experts.
  package var expertsK: Int?
  /// The task of a gate with tasks.
  package var task: Int?
  /// Whether usage tells each expert's share of the tokens, layer by layer.
  package var reportsExpertShares: Bool

  enum CodingKeys: String, CodingKey, CaseIterable {
    case temperature, seed, stop, task
    case maxTokens = "max_tokens"
    case maxCompletionTokens = "max_completion_tokens"
    case topP = "top_p"
    case topK = "top_k"
    case minP = "min_p"
    case repetitionPenalty = "repetition_penalty"
    case frequencyPenalty = "frequency_penalty"
    case presencePenalty = "presence_penalty"
    case logitBias = "logit_bias"
    case responseFormat = "response_format"
    case expertsK = "experts_k"
    case expertShares = "expert_shares"
    case reasoningEffort = "reasoning_effort"
    case thinkingBudget = "thinking_budget_tokens"
    case templateVariables = "chat_template_kwargs"
  }

  /// The names that llama-server and Ollama have for the same.
  private enum OtherKeys: String, CodingKey {
    case maxTokens = "n_predict"
    case repetitionPenalty = "repeat_penalty"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let others = try decoder.container(keyedBy: OtherKeys.self)
    maxTokens =
      try values.wholeNumberIfPresent(forKey: .maxCompletionTokens)
      ?? values.wholeNumberIfPresent(forKey: .maxTokens)
      ?? others.wholeNumberIfPresent(forKey: .maxTokens)
    // Other servers' word for "as many as there is room for": what this one's configuration says.
    if maxTokens == -1 { maxTokens = nil }
    temperature = try values.decodeIfPresent(Float.self, forKey: .temperature)
    topP = try values.decodeIfPresent(Float.self, forKey: .topP)
    topK = try values.wholeNumberIfPresent(forKey: .topK)
    // vLLM's word for "off".
    if topK == -1 { topK = 0 }
    minP = try values.decodeIfPresent(Float.self, forKey: .minP)
    repetitionPenalty =
      try values.decodeIfPresent(Float.self, forKey: .repetitionPenalty)
      ?? others.decodeIfPresent(Float.self, forKey: .repetitionPenalty)
    frequencyPenalty = try values.decodeIfPresent(Float.self, forKey: .frequencyPenalty)
    presencePenalty = try values.decodeIfPresent(Float.self, forKey: .presencePenalty)
    logitBias = try LogitBiasBody.decode(from: values, forKey: .logitBias)
    // Clients send negative seeds too; any 64 bits are a seed.
    if let signed = try? values.decodeIfPresent(Int64.self, forKey: .seed) {
      seed = UInt64(bitPattern: signed)
    } else {
      seed = try values.wholeNumberIfPresent(forKey: .seed)
    }
    stop = try values.decodeIfPresent(StopBody.self, forKey: .stop)
    format = try ResponseFormatBody.decode(from: decoder)
    reasoning = try ReasoningBody.decode(from: decoder)
    expertsK = try values.wholeNumberIfPresent(forKey: .expertsK)
    task = try values.wholeNumberIfPresent(forKey: .task)
    reportsExpertShares = try values.decodeIfPresent(Bool.self, forKey: .expertShares) ?? false
  }

  /// The parameters of the generation; what is not given keeps the server's defaults.
  package func parameters(
    defaultMaxTokens: Int?, defaultTemperature: Double
  ) -> SamplingParameters {
    var parameters = SamplingParameters(
      temperature: temperature ?? Float(defaultTemperature), seed: seed,
      maxTokens: maxTokens ?? defaultMaxTokens)
    if let topP { parameters.topP = topP }
    if let topK { parameters.topK = topK }
    if let minP { parameters.minP = minP }
    if let repetitionPenalty { parameters.repetitionPenalty = repetitionPenalty }
    if let frequencyPenalty { parameters.frequencyPenalty = frequencyPenalty }
    if let presencePenalty { parameters.presencePenalty = presencePenalty }
    parameters.logitBias = logitBias
    parameters.format = format
    parameters.reasoning = reasoning
    parameters.expertsK = expertsK
    parameters.gateTask = task
    if let stop { parameters.stop = stop.texts }
    return parameters
  }
}
