import JSON

/// One message of a conversation.
package struct ChatMessage: Sendable, Equatable {
  package var role: String
  /// Its text; where images stand among it, ``parts`` tells.
  package var content: String
  /// The images that it shows, in order.
  package private(set) var images: [PlacedImage] = []
  /// Of an answer: what was thought before it, which templates give back to the model or leave out.
  package var reasoning: String?
  /// Of an answer: the calls that it asked for.
  package var toolCalls: [ToolCall] = []
  /// Of a tool's message: the call that it answers.
  package var toolCallID: String?
  /// Further fields that templates may look at, such as `name`.
  package var fields: [String: JSONValue]

  package init(
    role: String, content: String, reasoning: String? = nil, toolCalls: [ToolCall] = [],
    toolCallID: String? = nil,
    fields: [String: JSONValue] = [:]
  ) {
    self.role = role
    self.content = content
    self.reasoning = reasoning
    self.toolCalls = toolCalls
    self.toolCallID = toolCallID
    self.fields = fields
  }

  /// A message of texts and images, in the order in which they are to be read.
  package init(role: String, parts: [Part], toolCallID: String? = nil) {
    self.init(role: role, content: "", toolCallID: toolCallID)
    append(parts)
  }

  /// A piece of a message.
  package enum Part: Sendable, Equatable {
    case text(String)
    case image(ChatImage)
  }

  /// An image, and how many bytes of the message's text stand before it.
  package struct PlacedImage: Sendable, Equatable {
    package let image: ChatImage
    fileprivate var offset: Int
  }

  /// The text, cut where its images stand. Of a message without images one text, be it empty.
  package var parts: [Part] {
    guard !images.isEmpty else { return [.text(content)] }
    var parts: [Part] = []
    var rest = Substring(content)
    var start = 0
    for placed in images {
      let end = rest.utf8.index(
        rest.startIndex, offsetBy: placed.offset - start, limitedBy: rest.endIndex)
      let text = rest[..<(end ?? rest.endIndex)]
      if !text.isEmpty { parts.append(.text(String(text))) }
      parts.append(.image(placed.image))
      rest = rest[text.endIndex...]
      start = placed.offset
    }
    if !rest.isEmpty { parts.append(.text(String(rest))) }
    return parts
  }

  /// Puts more behind what there is.
  package mutating func append(_ parts: [Part]) {
    for part in parts {
      switch part {
      case .text(let text): content += text
      case .image(let image):
        images.append(PlacedImage(image: image, offset: content.utf8.count))
      }
    }
  }

  /// Puts a text before all else.
  package mutating func prepend(_ text: String) {
    content = text + content
    for index in images.indices { images[index].offset += text.utf8.count }
  }

  /// The message with each of its texts changed, its images where they stood among them.
  package func mapTexts<Failure: Error>(
    _ change: (String) throws(Failure) -> String
  ) throws(Failure) -> ChatMessage {
    var changed = self
    guard !images.isEmpty else {
      changed.content = try change(content)
      return changed
    }
    changed.content = ""
    changed.images = []
    for part in parts {
      switch part {
      case .text(let text): changed.append([.text(try change(text))])
      case .image: changed.append([part])
      }
    }
    return changed
  }

  /// Bytes of its text and its calls.
  package var byteCount: Int {
    toolCalls.reduce(content.utf8.count) { $0 + $1.name.utf8.count + $1.arguments.utf8.count }
  }

  /// The fields as templates find them: a call's arguments as the object that they are.
  var templateFields: [String: JSONValue] {
    var fields = fields
    if !toolCalls.isEmpty {
      fields["tool_calls"] = .array(
        toolCalls.map { call in
          let arguments = try? JSONParser.parse(Array(call.arguments.utf8))
          return .object([
            ("id", .string(call.id)), ("type", .string("function")),
            (
              "function",
              .object([
                ("name", .string(call.name)),
                ("arguments", arguments ?? .string(call.arguments)),
              ])
            ),
          ])
        })
    }
    if let reasoning {
      // Qwen's and DeepSeek's word, and gpt-oss's.
      fields["reasoning_content"] = .string(reasoning)
      fields["thinking"] = .string(reasoning)
    }
    if let toolCallID { fields["tool_call_id"] = .string(toolCallID) }
    return fields
  }
}
