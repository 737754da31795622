import Generation

/// `"logit_bias": {"<token id>": <-100 to 100>}`, as OpenAI's API has it.
enum LogitBiasBody {
  /// What a request may add to a logit.
  private static let range = -100.0...100.0

  /// The biases; none where the field is missing or null. Whether a token exists is for the expert to
  /// say.
  static func decode<Key: CodingKey>(
    from values: KeyedDecodingContainer<Key>, forKey key: Key
  ) throws -> [Int32: Float] {
    let entries = try values.decodeIfPresent([String: Double].self, forKey: key) ?? [:]
    let limit = SamplingParameters.Limit.biasedTokens
    guard entries.count <= limit else {
      throw refusal("has \(entries.count) tokens; expected at most \(limit)", key)
    }
    var bias: [Int32: Float] = [:]
    // In order, so that the same body is always refused in the same words.
    for (name, amount) in entries.sorted(by: { $0.key < $1.key }) {
      // Only as numbers are written: "7" and "07" would be one token twice.
      guard let token = Int32(name), token >= 0, String(token) == name else {
        throw refusal("has the key '\(name.prefix(40))'; expected token ids", key)
      }
      guard range.contains(amount) else {
        throw refusal("for token \(token) is \(amount); expected -100 to 100", key)
      }
      bias[token] = Float(amount)
    }
    return bias
  }

  private static func refusal(_ problem: String, _ key: some CodingKey) -> APIError {
    .badRequest("'\(key.stringValue)' \(problem)", param: key.stringValue)
  }
}
