import Tokenization

/// How an expert's chats are laid out, and which texts end its answer.
package struct ChatLayout: Sendable {
  package let template: ChatTemplate
  /// For models that were never taught an end of turn.
  package let stopTexts: [String]
  package let tools: ToolLayout
  /// How the model thinks before it answers; nil where it does not.
  package var reasoning: ReasoningLayout?

  init(template: ChatTemplate, stopTexts: [String]) {
    self.template = template
    self.stopTexts = stopTexts
    let withSystem = try? template.render(
      messages: [
        ChatMessage(role: "system", content: "s"), ChatMessage(role: "user", content: "u"),
      ], addGenerationPrompt: true, bosToken: "", eosToken: "")
    tools = ToolLayout(
      templateSource: template.source, takesSystemMessages: withSystem != nil)
    reasoning = ReasoningLayout(templateSource: template.source)
  }

  /// The template that a card names, else the one in the weights.
  package static func of(_ manifest: ExpertManifest, source: ModelSource) throws -> ChatLayout {
    try named(in: manifest)
      ?? ChatLayout(
        template: try source.chatTemplate() ?? ChatTemplate(.chatml), stopTexts: [])
  }

  /// The same layout of an expert whose card says how it thinks.
  package func thinking(as manifest: ExpertManifest) -> ChatLayout {
    guard let name = manifest.reasoning else { return self }
    var layout = self
    layout.reasoning = name.layout
    return layout
  }

  /// Whether an expert thinks before it answers, told without its weights; of a remote one that is not known.
  package static func thinks(_ manifest: ExpertManifest) -> Bool {
    guard manifest.endpoint == nil else { return false }
    if let name = manifest.reasoning { return name != .none }
    let base = manifest.baseFolder.flatMap { try? ExpertManifest.load(folder: $0) } ?? manifest
    let layout = try? named(in: manifest) ?? of(base, source: ModelSource(base))
    return layout?.thinking(as: base).reasoning != nil
  }

  /// The template that a card names; nil if it names none.
  package static func named(in manifest: ExpertManifest) throws -> ChatLayout? {
    if manifest.chatTemplate == "plain" {
      return ChatLayout(
        template: try ChatTemplate(source: plainSource), stopTexts: ["\nQuestion:", "\nAnswer:"])
    }
    if let path = manifest.chatTemplateFile {
      guard let source = try? String(contentsOfFile: path, encoding: .utf8) else {
        throw LibraryError.missingFile(expert: manifest.card.id, path: path)
      }
      return ChatLayout(template: try ChatTemplate(source: source), stopTexts: [])
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
