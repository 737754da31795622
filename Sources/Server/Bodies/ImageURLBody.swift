/// `image_url` of a part: an object with `url`, as chats have it, or the address alone.
struct ImageURLBody: Decodable, Sendable {
  let url: String
  /// How closely to look.
  let detail: String?

  private enum CodingKeys: String, CodingKey { case url, detail }

  init(from decoder: any Decoder) throws {
    if let url = try? decoder.singleValueContainer().decode(String.self) {
      self.url = url
      detail = nil
      return
    }
    let values = try decoder.container(keyedBy: CodingKeys.self)
    url = try values.decode(String.self, forKey: .url)
    detail = try values.decodeIfPresent(String.self, forKey: .detail)
  }
}
