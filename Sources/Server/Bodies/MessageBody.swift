import Tokenization

/// One message of a chat: `content` is a text, or a list of parts of which only text is understood.
package struct MessageBody: Codable, Sendable {
  package let role: String
  package let content: String

  private enum CodingKeys: String, CodingKey { case role, content }

  private struct Part: Decodable {
    let type: String
    let text: String?
  }

  package init(role: String, content: String) {
    self.role = role
    self.content = content
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    role = try values.decode(String.self, forKey: .role)
    guard ["system", "developer", "user", "assistant", "tool"].contains(role) else {
      throw DecodingError.dataCorruptedError(
        forKey: .role, in: values,
        debugDescription: "expected system, developer, user, assistant or tool")
    }
    if let text = try? values.decode(String.self, forKey: .content) {
      content = text
    } else if try values.decodeNil(forKey: .content) {
      content = ""
    } else {
      let parts = try values.decode([Part].self, forKey: .content)
      for part in parts where part.type != "text" || part.text == nil {
        throw DecodingError.dataCorruptedError(
          forKey: .content, in: values,
          debugDescription:
            "a part of type '\(part.type.prefix(40))' is not understood; experts here read text only"
        )
      }
      content = parts.compactMap(\.text).joined()
    }
  }

  package var chatMessage: ChatMessage {
    ChatMessage(role: role == "developer" ? "system" : role, content: content)
  }
}
