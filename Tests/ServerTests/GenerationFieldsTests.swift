import Server
import Testing

/// The sampling fields that several bodies share.
@Suite struct GenerationFieldsTests {
  private func fields(_ json: String) throws -> GenerationFields {
    try decode(GenerationFields.self, json)
  }

  @Test func everyFieldArrives() throws {
    let parameters = try fields(
      """
      {"max_tokens": 3, "temperature": 0, "top_p": 0.5, "top_k": 4, "min_p": 0.25,
       "repetition_penalty": 1.5, "frequency_penalty": 0.75, "presence_penalty": -0.5, "stop": "x"}
      """
    ).parameters(defaultMaxTokens: 1, defaultTemperature: 0.7)
    #expect(parameters.maxTokens == 3)
    #expect(parameters.temperature == 0)
    #expect(parameters.topP == 0.5)
    #expect(parameters.topK == 4)
    #expect(parameters.minP == 0.25)
    #expect(parameters.repetitionPenalty == 1.5)
    #expect(parameters.frequencyPenalty == 0.75)
    #expect(parameters.presencePenalty == -0.5)
    #expect(parameters.stop == ["x"])
    #expect(parameters.seed == nil)
  }

  @Test func defaultsFillTheRest() throws {
    let parameters = try fields("{}").parameters(defaultMaxTokens: 11, defaultTemperature: 0.5)
    #expect(parameters.maxTokens == 11)
    #expect(parameters.temperature == 0.5)
    #expect(parameters.topP == 1 && parameters.stop.isEmpty)
    let null = try fields(#"{"max_tokens": null, "stop": null, "seed": null, "temperature": null}"#)
    #expect(null.maxTokens == nil && null.stop == nil && null.seed == nil)
  }

  @Test func newerNameOfTheLimitWins() throws {
    let both = try fields(#"{"max_tokens": 3, "max_completion_tokens": 5}"#)
    #expect(both.maxTokens == 5)
  }

  @Test(
    arguments: [
      ("0", 0), ("7", 7), ("-1", .max), ("-9223372036854775808", 1 << 63),
      ("18446744073709551615", .max), ("9223372036854775808", 1 << 63),
    ] as [(String, UInt64)])
  func anySixtyFourBitsAreASeed(text: String, seed: UInt64) throws {
    #expect(try fields("{\"seed\": \(text)}").seed == seed)
  }

  @Test(arguments: ["\"7\"", "18446744073709551616", "1.5", "true", "[1]"])
  func otherSeedsAreRefused(text: String) {
    let refusal = refusal(of: GenerationFields.self, "{\"seed\": \(text)}")
    #expect(refusal?.param == "seed")
  }

  @Test func biasesReachTheSampler() throws {
    func bias(_ json: String) throws -> [Int32: Float] {
      try fields(json).parameters(defaultMaxTokens: 1, defaultTemperature: 0).logitBias
    }
    #expect(
      try bias(#"{"logit_bias": {"5": -100, "0": 100, "50256": 0.5}}"#) == [
        5: -100, 0: 100, 50256: 0.5,
      ])
    #expect(try bias(#"{"logit_bias": null}"#).isEmpty)
    #expect(try bias(#"{"logit_bias": {}}"#).isEmpty)
    #expect(try bias("{}").isEmpty)
  }

  @Test(
    arguments: [
      (#"{"5": 100.5}"#, "invalid_value", "logit_bias"),
      (#"{"5": -1e300}"#, "invalid_value", "logit_bias"),
      (#"{"-1": 1}"#, "invalid_value", "logit_bias"),
      (#"{"07": 1}"#, "invalid_value", "logit_bias"),
      (#"{"+7": 1}"#, "invalid_value", "logit_bias"),
      (#"{"": 1}"#, "invalid_value", "logit_bias"),
      (#"{"the": 1}"#, "invalid_value", "logit_bias"),
      (#"{"2147483648": 1}"#, "invalid_value", "logit_bias"),
      (#"{"5": "x"}"#, "invalid_type", "logit_bias[5]"),
      (#"[1]"#, "invalid_type", "logit_bias"),
      (#"3"#, "invalid_type", "logit_bias"),
    ] as [(String, String, String)])
  func biasesThatCannotBe(json: String, code: String, param: String) {
    #expect(
      refusal(of: GenerationFields.self, "{\"logit_bias\": \(json)}")
        == Refusal(400, code, param))
  }

  @Test func tooManyBiases() {
    let entries = (0...4096).map { "\"\($0)\": 1" }.joined(separator: ",")
    #expect(
      refusal(of: GenerationFields.self, "{\"logit_bias\": {\(entries)}}")
        == Refusal(400, "invalid_value", "logit_bias"))
  }

  @Test func stopIsOneTextOrSeveral() throws {
    #expect(try decode(StopBody.self, #""a""#).texts == ["a"])
    #expect(try decode(StopBody.self, #"["a", "b"]"#).texts == ["a", "b"])
    #expect(try decode(StopBody.self, "[]").texts.isEmpty)
    #expect(refusal(of: GenerationFields.self, #"{"stop": ["a", 1]}"#)?.param == "stop[1]")
  }
}
