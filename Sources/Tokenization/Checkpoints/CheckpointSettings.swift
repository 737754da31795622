import Foundation

/// What the files beside a checkpoint's `tokenizer.json` say: special tokens, whether they are
/// added, where generation stops, and the chat template.
struct CheckpointSettings: Sendable {
  /// Texts of the special tokens.
  let beginning: String?
  let end: String?
  let unknown: String?
  /// Ids of the same, for folders that name no texts.
  let beginningID: JSONField
  /// Where generation stops: one id or a list.
  let endIDs: JSONField
  let addsBeginning: Bool?
  let addsEnd: Bool?

  init(folder: String) throws(TokenizerError) {
    let settings = try JSONField(optionalPath: folder + "/tokenizer_config.json")
    let generation = try JSONField(optionalPath: folder + "/generation_config.json")
    let model = try JSONField(optionalPath: folder + "/config.json")
    beginning = try Self.text(settings["bos_token"])
    end = try Self.text(settings["eos_token"])
    unknown = try Self.text(settings["unk_token"])
    addsBeginning = try settings["add_bos_token"].bool()
    addsEnd = try settings["add_eos_token"].bool()
    beginningID =
      generation["bos_token_id"].isMissing ? model["bos_token_id"] : generation["bos_token_id"]
    endIDs =
      generation["eos_token_id"].isMissing ? model["eos_token_id"] : generation["eos_token_id"]
  }

  /// A token's text: as it is, or in an object with how it is to be matched.
  private static func text(_ field: JSONField) throws(TokenizerError) -> String? {
    if case .object? = field.value { return try field["content"].requiredString() }
    return try field.string()
  }

  /// The chat template of a checkpoint's folder: a file of its own, or in `tokenizer_config.json`
  /// alone or under the name `default`. Nil where there is none.
  static func chatTemplate(folder: String) throws(TokenizerError) -> String? {
    let name = "chat_template.jinja"
    let path = folder + "/" + name
    if FileManager.default.fileExists(atPath: path) {
      guard let data = FileManager.default.contents(atPath: path), data.count <= maximumBytes,
        let text = String(data: data, encoding: .utf8)
      else {
        throw TokenizerError(
          field: name, problem: "is not UTF-8 text of at most \(maximumBytes) bytes")
      }
      return text
    }
    let field = try JSONField(optionalPath: folder + "/tokenizer_config.json")["chat_template"]
    guard case .array? = field.value else { return try field.string() }
    for item in try field.items() where try item["name"].string() == "default" {
      return try item["template"].requiredString()
    }
    throw field.error("has no template named default")
  }

  private static let maximumBytes = 4 << 20
}
