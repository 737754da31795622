import Foundation
import Testing
import Tokenization

/// Images of messages, as clients send them.
@Suite struct ChatImageTests {
  /// The smallest beginning that tells a type.
  static let png = Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])

  @Test func theTypeIsReadOffTheFile() throws {
    let files: [(String, Data)] = [
      ("image/png", Self.png), ("image/jpeg", Data([0xFF, 0xD8, 0xFF, 0xE0])),
      ("image/webp", Data("RIFF\u{1}\u{2}\u{3}\u{4}WEBPVP8 ".utf8)),
      ("image/gif", Data("GIF89a".utf8)),
    ]
    for (type, file) in files {
      let base64 = file.base64EncodedString()
      // Whatever the address calls it.
      let image = try ChatImage(url: "data:image/x-other;base64,\(base64)", detail: "low")
      #expect(image.source == .data(mediaType: type, base64: base64))
      #expect(image.url == "data:\(type);base64,\(base64)")
      #expect(image.file == file && image.detail == "low")
      #expect(image.isForEndpoints == (type == "image/gif"))
      #expect(try ChatImage(base64: base64).source == image.source)
    }
  }

  @Test func addressesAreLeftAlone() throws {
    let image = try ChatImage(url: "HTTPS://example.com/a.png?x=1#y")
    #expect(image.source == .address("HTTPS://example.com/a.png?x=1#y"))
    #expect(image.url == "HTTPS://example.com/a.png?x=1#y" && image.file == nil)
  }

  @Test(
    arguments: [
      "", "a.png", "file:///etc/passwd", "data:", "data:image/png;base64", "data:image/png,abc",
      "data:image/png;base64,", "data:image/png;base64,!!!!", "data:;base64,aGVsbG8=", "http://",
      "https:///x", "ftp://example.com/a.png", "data:image/svg+xml;base64,PHN2Zy8+",
    ])
  func otherwiseThereIsNone(url: String) {
    #expect(throws: ChatImage.Problem.self) { _ = try ChatImage(url: url) }
  }

  @Test func partsKeepTheirOrder() throws {
    let image = try ChatImage(url: "https://example.com/1")
    let other = try ChatImage(url: "https://example.com/2")
    let parts: [ChatMessage.Part] = [
      .text("é "), .image(image), .text("b"), .image(other), .image(image),
    ]
    var message = ChatMessage(role: "user", parts: parts)
    #expect(message.content == "é b" && message.parts == parts)
    message.prepend("ü")
    message.append([.text("c")])
    #expect(
      message.parts == [
        .text("üé "), .image(image), .text("b"), .image(other), .image(image), .text("c"),
      ])
    let changed = message.mapTexts { $0 == "b" ? "" : $0 + "!" }
    #expect(
      changed.parts == [
        .text("üé !"), .image(image), .image(other), .image(image), .text("c!"),
      ])
    // A text that somebody cut leaves no image out.
    message.content = ""
    #expect(message.parts == [.image(image), .image(other), .image(image)])
    #expect(ChatMessage(role: "user", content: "").parts == [.text("")])
  }

  @Test func templatesGoThroughParts() throws {
    let template = try ChatTemplate(
      source: """
        {%- for message in messages -%}{{ message.role }}:
        {%- if message.content is string %} {{ message.content }}
        {%- else %}{% for part in message.content %}[{{ part.type }} {{ part.text }}]{% endfor %}{% endif -%}
        {%- endfor -%}
        """)
    let image = try ChatImage(url: "https://example.com/1")
    let text = try template.render(
      messages: [
        ChatMessage(role: "system", content: "s"),
        ChatMessage(role: "user", parts: [.image(image), .text("what?")]),
      ], addGenerationPrompt: false, bosToken: "", eosToken: "")
    #expect(text == "system: suser:[image ][text what?]")
  }

  /// SmolVLM's shows nothing of a content that is a text, most others nothing of one that is a list.
  @Test func contentsComeInTheFormThatTheTemplateReads() throws {
    let image = try ChatImage(url: "https://example.com/1")
    let messages = [
      ChatMessage(role: "system", content: "s"),
      ChatMessage(role: "user", parts: [.text("a"), .image(image), .text("b")]),
    ]
    let loop = "{% for part in message.content %}[{{ part.type }} {{ part.text }}]{% endfor %}"
    for (body, expected) in [
      ("{{ message.content }}", "s|a<image>b|"), (loop, "[text s]|[text a][image ][text b]|"),
    ] {
      let template = try ChatTemplate(
        source: "{% for message in messages %}\(body)|{% endfor %}")
      let text = try template.render(
        messages: messages, addGenerationPrompt: false, bosToken: "", eosToken: "",
        imagePlaceholder: "<image>")
      #expect(text == expected, "\(body)")
    }
  }
}
