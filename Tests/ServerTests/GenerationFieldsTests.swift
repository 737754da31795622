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

  @Test func stopIsOneTextOrSeveral() throws {
    #expect(try decode(StopBody.self, #""a""#).texts == ["a"])
    #expect(try decode(StopBody.self, #"["a", "b"]"#).texts == ["a", "b"])
    #expect(try decode(StopBody.self, "[]").texts.isEmpty)
    #expect(refusal(of: GenerationFields.self, #"{"stop": ["a", 1]}"#)?.param == "stop[1]")
  }
}
