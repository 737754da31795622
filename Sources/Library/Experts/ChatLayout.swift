import Tokenization

/// How an expert's chats are laid out, and which texts end its answer.
package struct ChatLayout: Sendable {
  package let template: ChatTemplate
  /// For models that were never taught an end of turn.
  package let stopTexts: [String]
  package let tools: ToolLayout

  init(template: ChatTemplate, stopTexts: [String]) {
    self.template = template
    self.stopTexts = stopTexts
    let withSystem = try? template.render(
      messages: [
        ChatMessage(role: "system", content: "s"), ChatMessage(role: "user", content: "u"),
      ], addGenerationPrompt: true, bosToken: "", eosToken: "")
    tools = ToolLayout(
      templateSource: template.source, takesSystemMessages: withSystem != nil)
  }

  /// The template that a card names, else the one in the weights.
  package static func of(_ manifest: ExpertManifest, source: ModelSource) throws -> ChatLayout {
    try named(in: manifest)
      ?? ChatLayout(
        template: try source.chatTemplate() ?? ChatTemplate(.chatml), stopTexts: [])
  }

  /// The template that a card names; nil if it names none.
  package static func named(in manifest: ExpertManifest) throws -> ChatLayout? {
    if manifest.chatTemplate == "plain" {
      return ChatLayout(
        template: try ChatTemplate(source: plainSource), stopTexts: ["\nQuestion:", "\nAnswer:"])
    }
    if let name = manifest.chatTemplate {
      guard let builtIn = ChatTemplate.BuiltIn(rawValue: name) else {
        let known = ["plain"] + ChatTemplate.BuiltIn.allCases.map(\.rawValue)
        throw LibraryError.invalidCard(
          path: manifest.folder + "/expert.yaml",
          problem: "unknown chat_template '\(name)'; known: \(known.joined(separator: ", "))")
      }
      return ChatLayout(template: try ChatTemplate(builtIn), stopTexts: [])
    }
    return nil
  }

  /// A dialogue in plain words, for base models: they continue text, and follow no control tokens.
  private static let plainSource = """
    {%- for message in messages -%}
    {%- if message.role == 'user' -%}Question: {{ message.content | trim }}
    {% elif message.role == 'assistant' -%}Answer: {{ message.content | trim }}
    {% else -%}{{ message.content | trim }}
    {% endif -%}
    {%- endfor -%}
    {%- if add_generation_prompt -%}Answer:{%- endif -%}
    """
}
