/// `n` of OpenAI's API: how many answers to a prompt are asked for.
enum ChoiceCount {
  /// Answers of one request at most, as OpenAI has it.
  static let limit = 128

  static func decode<Key: CodingKey>(
    from values: KeyedDecodingContainer<Key>, forKey key: Key, prompts: Int = 1
  ) throws -> Int {
    let count: Int = try values.wholeNumberIfPresent(forKey: key) ?? 1
    guard (1...limit).contains(count) else {
      throw APIError.badRequest(
        "'\(key.stringValue)' must be 1 to \(limit)", param: key.stringValue)
    }
    guard count * prompts <= limit else {
      throw APIError.badRequest(
        "\(prompts) prompts with \(count) answers each are more than \(limit)",
        param: key.stringValue)
    }
    return count
  }
}
