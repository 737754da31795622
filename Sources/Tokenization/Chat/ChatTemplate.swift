import Foundation
import JSON
import ModelFiles

/// How a model wants a conversation written, in the Jinja dialect that Hugging Face uses.
///
/// ```swift
/// let template = try ChatTemplate(file: file) ?? ChatTemplate(.chatml)
/// let prompt = try template.render(
///   messages: [ChatMessage(role: "user", content: "Hello")], addGenerationPrompt: true,
///   bosToken: "", eosToken: "<|im_end|>")
/// ```
package struct ChatTemplate: Sendable {
  /// The template's text.
  package let source: String
  private let statements: [JinjaStatement]
  /// The forms of a message's content that come through.
  private var contentForms: ContentForms = .text

  /// How a template reads contents: some show nothing of a text that is no list of parts, most nothing of a list.
  private enum ContentForms {
    case text
    case parts
    case both
  }

  package init(source: String) throws(ChatTemplateError) {
    self.source = source
    statements = try JinjaParser.statements(of: source)
    contentForms =
      switch (shows(.text), shows(.parts)) {
      case (true, true): .both
      case (false, true): .parts
      default: .text
      }
  }

  /// Whether a user's text comes through in one of the forms.
  private func shows(_ form: ContentForms) -> Bool {
    let words = "What a user says"
    var template = self
    template.contentForms = form
    let text = try? template.render(
      messages: [ChatMessage(role: "user", content: words)], addGenerationPrompt: true,
      bosToken: "", eosToken: "")
    // A list that was taken for a text comes as Python or JSON write it.
    return text.map { $0.contains(words) && !$0.contains("'type'") && !$0.contains("\"type\"") }
      ?? false
  }

  /// The template in a GGUF file's metadata, or nil if it has none.
  package init?(file: GGUFFile) throws(ChatTemplateError) {
    guard let source = file.string("tokenizer.chat_template") else { return nil }
    try self.init(source: source)
  }

  /// The conversation as the model wants it; encode it with `parseSpecial` on and `addSpecial`
  /// off, since templates write the beginning token themselves.
  ///
  /// - Parameters:
  ///   - addGenerationPrompt: end with the opening of the assistant's turn.
  ///   - tools: descriptions of functions, for templates that know them.
  ///   - imagePlaceholder: what stands for an image where the template takes texts alone; others write their own.
  ///   - variables: further names that the template sees, such as `enable_thinking`.
  ///   - nowSeconds: seconds since 1970 for templates that write the date.
  package func render(
    messages: [ChatMessage], addGenerationPrompt: Bool, bosToken: String, eosToken: String,
    tools: [JSONValue]? = nil, imagePlaceholder: String = "", variables: [String: JSONValue] = [:],
    nowSeconds: Int = Int(Date().timeIntervalSince1970)
  ) throws(ChatTemplateError) -> String {
    var converter = JinjaValueConverter()
    var list: [JinjaValue] = []
    for message in messages {
      var pairs: [(key: String, value: JinjaValue)] = [
        ("role", converter.string(message.role)),
        ("content", content(of: message, imagePlaceholder, &converter)),
      ]
      let fields = message.templateFields
      for key in fields.keys.sorted() where key != "role" {
        pairs.append((key, try converter.value(fields[key] ?? .null)))
      }
      list.append(.dictionary(JinjaDictionary(pairs)))
    }
    var inputs: [String: JinjaValue] = [:]
    for (name, value) in variables { inputs[name] = try converter.value(value) }
    inputs["messages"] = .list(JinjaList(list))
    inputs["add_generation_prompt"] = .bool(addGenerationPrompt)
    inputs["bos_token"] = .string(bosToken)
    inputs["eos_token"] = .string(eosToken)
    inputs["tools"] =
      try tools.map { tools throws(ChatTemplateError) in
        try converter.value(.array(tools))
      } ?? JinjaValue.none
    inputs["documents"] = inputs["documents"] ?? JinjaValue.none
    var interpreter = JinjaInterpreter(
      inputs: inputs, inputBytes: converter.byteCount, nowSeconds: nowSeconds)
    _ = try interpreter.run(statements)
    return String(decoding: interpreter.output, as: UTF8.self)
  }

  /// A content in the form that the template reads: a text where it can be one.
  private func content(
    of message: ChatMessage, _ imagePlaceholder: String, _ converter: inout JinjaValueConverter
  ) -> JinjaValue {
    switch contentForms {
    case .text:
      let texts = message.parts.map { part in
        switch part {
        case .text(let text): text
        case .image: imagePlaceholder
        }
      }
      return converter.string(texts.joined())
    case .both where message.images.isEmpty: return converter.string(message.content)
    case .both, .parts:
      let parts = message.parts.map { part in
        switch part {
        case .text(let text):
          JinjaDictionary([("type", converter.string("text")), ("text", converter.string(text))])
        case .image: JinjaDictionary([("type", converter.string("image"))])
        }
      }
      return .list(JinjaList(parts.map { .dictionary($0) }))
    }
  }
}

/// Makes the interpreter's values of the caller's, and counts their size.
private struct JinjaValueConverter {
  private(set) var byteCount = 0
  private var depth = 0

  mutating func string(_ text: String) -> JinjaValue {
    byteCount += text.utf8.count
    return .string(text)
  }

  mutating func value(_ value: JSONValue) throws(ChatTemplateError) -> JinjaValue {
    depth += 1
    defer { depth -= 1 }
    guard depth < JinjaValue.maximumNesting - 8 else {
      throw ChatTemplateError(
        kind: .limit, message: "a message's fields nest too deep", line: 1)
    }
    byteCount += 8
    switch value {
    case .null: return .none
    case .bool(let value): return .bool(value)
    case .int(let value): return .int(value)
    case .double(let value): return .float(value)
    case .string(let text): return string(text)
    case .array(let items):
      var result: [JinjaValue] = []
      for item in items { result.append(try self.value(item)) }
      return .list(JinjaList(result))
    case .object(let pairs):
      var result: [(key: String, value: JinjaValue)] = []
      for pair in pairs { result.append((pair.key, try self.value(pair.value))) }
      return .dictionary(JinjaDictionary(result))
    }
  }
}
