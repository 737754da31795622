import Generation
import Grammar
import JSON
import Tokenization

/// How an expert is told of the caller's functions, and how it asks for them.
///
/// A template that knows of tools writes them as its model was taught. For any other they stand in the system's
/// message, in the words that most models were taught (Hermes, Qwen), and calls and what came of them stand in the
/// messages' text. That a call is one is seen to by its grammar (``Grammar/toolCalls(_:style:mustCall:allowsSeveral:text:)``),
/// so that models take part that were never taught any of this.
package struct ToolLayout: Sendable {
  package let style: ToolCallStyle
  /// Whether the template writes tools and calls itself.
  package let isTemplates: Bool

  /// Whether the template takes a system's message. Gemma 2's, for one, refuses it.
  private let takesSystemMessages: Bool

  /// By what a template's text says.
  package init(templateSource source: String, takesSystemMessages: Bool = true) {
    self.takesSystemMessages = takesSystemMessages
    let knowsTools = source.contains("tools")
    if knowsTools, source.contains("<tool_call>") {
      (style, isTemplates) = (.tagged, true)
    } else if knowsTools, source.contains("Environment: ipython"), source.contains("\"parameters\"")
    {
      (style, isTemplates) = (.bare, true)
    } else if knowsTools, source.contains("<|channel|>analysis"), source.contains("to=functions.") {
      // Called for in a channel, which the reader of channels puts into these words.
      (style, isTemplates) = (.tagged, true)
    } else {
      // Other marks are control tokens, which no text has.
      (style, isTemplates) = (.tagged, false)
    }
  }

  /// The functions that the model is told of before it answers.
  ///
  /// A model that was never taught any of this answers a question with what a function gave where it has only the
  /// conversation before it; told of the functions once more, it calls again, or gives the result back as it is.
  package func told(of use: ToolUse?, in input: ExpertInput) -> [Tool] {
    guard let use else { return [] }
    if !isTemplates, use.choice == .auto, case .messages(let messages) = input,
      messages.last?.role == "tool"
    {
      return []
    }
    return use.tools
  }

  /// The messages as the template gets them.
  package func messages(_ messages: [ChatMessage], tools: [JSONValue]) -> [ChatMessage] {
    guard !isTemplates else { return messages }
    var result: [ChatMessage] = []
    var isInTools = false
    for message in messages {
      var message = message
      if message.role == "tool" {
        // What several calls gave is one message: templates want the roles in turn.
        let parts =
          [.text("<tool_response>\n")] + message.parts + [.text("\n</tool_response>")]
        if isInTools, let last = result.indices.last {
          result[last].append([.text("\n")] + parts)
        } else {
          result.append(ChatMessage(role: "user", parts: parts))
        }
        isInTools = true
        continue
      }
      isInTools = false
      for call in message.toolCalls {
        let name = String(decoding: JSONValue.string(call.name).json, as: UTF8.self)
        let text =
          "\(style.open)\n{\"name\": \(name), \"\(style.argumentsKey)\": \(call.arguments)}\n\(style.close)"
        message.content += (message.content.isEmpty ? "" : "\n") + text
      }
      message.toolCalls = []
      result.append(message)
    }
    guard !tools.isEmpty else { return result }
    let words = words(of: tools)
    if result.first?.role == "system" {
      result[0].content += "\n\n" + words
    } else if !takesSystemMessages, let first = result.firstIndex(where: { $0.role == "user" }) {
      result[first].prepend(words + "\n\n")
    } else {
      result.insert(ChatMessage(role: "system", content: words), at: 0)
    }
    return result
  }

  private func words(of tools: [JSONValue]) -> String {
    let list = tools.map { String(decoding: $0.json, as: UTF8.self) }.joined(separator: "\n")
    return """
      # Tools

      You may call one or more functions to assist with the user query.

      You are provided with function signatures within <tools></tools> XML tags:
      <tools>
      \(list)
      </tools>

      For each function call, return a json object with function name and arguments within \
      \(style.open)\(style.close) XML tags:
      \(style.open)
      {"name": <function-name>, "\(style.argumentsKey)": <args-json-object>}
      \(style.close)
      """
  }
}
