/// The tokens that a `tokenizer.json` puts around a text: its `post_processor`.
struct CheckpointPostProcessor: Sendable {
  private(set) var beginning: Int32?
  private(set) var end: Int32?

  /// - Parameter id: the id of a token's text.
  init(file: JSONField, id: (String) -> Int32?) throws(TokenizerError) {
    for step in try TextLayout.steps(file["post_processor"], list: "processors") {
      switch try step["type"].requiredString() {
      // It moves the places of tokens in the text, which are not kept here.
      case "ByteLevel": continue
      case "TemplateProcessing": try read(step, id: id)
      default: throw step["type"].unsupported()
      }
    }
  }

  private mutating func read(
    _ step: JSONField, id: (String) -> Int32?
  ) throws(TokenizerError) {
    var isAfterText = false
    for item in try step["single"].items() {
      if !item["Sequence"].isMissing {
        isAfterText = true
        continue
      }
      let name = try item["SpecialToken"]["id"].requiredString()
      guard let token = id(name) else {
        throw item["SpecialToken"]["id"].error("\"\(name)\" is no token")
      }
      guard (isAfterText ? end : beginning) == nil else {
        throw item.error("is a second token on one side of the text, which is not supported")
      }
      if isAfterText { end = token } else { beginning = token }
    }
  }
}
