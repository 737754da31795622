import Generation
import Grammar
import JSON
import Library
import Testing
import Tokenization

@Suite struct ToolLayoutTests {
  private static let tool = JSONValue.object([("type", .string("function"))])
  private static let chat = [
    ChatMessage(role: "user", content: "Weather?"),
    ChatMessage(
      role: "assistant", content: "",
      toolCalls: [
        ToolCall(id: "1", name: "weather", arguments: #"{"city": "Porto"}"#),
        ToolCall(id: "2", name: "now", arguments: "{}"),
      ]),
    ChatMessage(role: "tool", content: "sunny", toolCallID: "1"),
    ChatMessage(role: "tool", content: "12:00", toolCallID: "2"),
    ChatMessage(role: "user", content: "Thanks"),
  ]

  /// A template without a word of tools gets them as text, and roles that it knows, in turn.
  @Test func asText() {
    let layout = ToolLayout(templateSource: "{{ messages }}")
    #expect(layout.style == .tagged)
    let messages = layout.messages(Self.chat, tools: [Self.tool])
    #expect(messages.map(\.role) == ["system", "user", "assistant", "user", "user"])
    #expect(messages[0].content.contains("<tools>\n{\"type\":\"function\"}\n</tools>"))
    #expect(
      messages[2].content
        == "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Porto\"}}\n</tool_call>\n"
        + "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>")
    #expect(messages[2].toolCalls.isEmpty)
    #expect(
      messages[3].content
        == "<tool_response>\nsunny\n</tool_response>\n<tool_response>\n12:00\n</tool_response>")
    // The operator's words stay first.
    let own = layout.messages(
      [ChatMessage(role: "system", content: "Be brief.")], tools: [Self.tool])
    #expect(own.count == 1 && own[0].content.hasPrefix("Be brief.\n\n# Tools"))
    #expect(layout.messages([Self.chat[0]], tools: []) == [Self.chat[0]])
  }

  @Test func whoWasNotTaughtIsToldOnce() throws {
    let tool = Tool(
      function: ToolFunction(name: "f", parameters: nil, isStrict: false), description: nil,
      requestField: Self.tool)
    let auto = try ToolUse(tools: [tool], choice: .auto, allowsSeveral: nil)
    let required = try ToolUse(tools: [tool], choice: .required, allowsSeveral: nil)
    let asked = ExpertInput.messages([Self.chat[0]])
    let found = ExpertInput.messages(Array(Self.chat.prefix(4)))
    let plain = ToolLayout(templateSource: "{{ messages }}")
    #expect(plain.told(of: auto, in: asked) == [tool] && plain.told(of: auto, in: found) == [])
    #expect(plain.told(of: required, in: found) == [tool])
    let taught = ToolLayout(templateSource: "{% if tools %}<tool_call>{% endif %}")
    #expect(taught.told(of: auto, in: found) == [tool])
    #expect(plain.told(of: nil, in: asked) == [])
  }

  /// A template that refuses a system's message gets the words where they can stand.
  @Test func withoutASystemMessage() {
    let layout = ToolLayout(templateSource: "{{ messages }}", takesSystemMessages: false)
    let messages = layout.messages(Self.chat, tools: [Self.tool])
    #expect(messages.map(\.role) == ["user", "assistant", "user", "user"])
    #expect(
      messages[0].content.hasPrefix("# Tools") && messages[0].content.hasSuffix("\n\nWeather?"))
  }

  @Test(arguments: [
    ("{% if tools %}<tool_call>{% endif %}", true),
    ("{% if tools %}Environment: ipython \"parameters\"{% endif %}", true),
    ("{% if tools %}[TOOL_CALLS]{% endif %}", false), ("<tool_call>", false),
  ])
  func templatesThatKnowTools(source: String, knows: Bool) {
    let layout = ToolLayout(templateSource: source)
    #expect(layout.isTemplates == knows)
    if knows { #expect(layout.messages(Self.chat, tools: [Self.tool]) == Self.chat) }
  }

  /// As templates of Qwen's kind write calls: the arguments are an object to them.
  @Test func callsInATemplate() throws {
    let template = try ChatTemplate(
      source: """
        {%- for message in messages -%}
        {{ message.role }}:{{ message.content }}
        {%- for call in message.tool_calls or [] -%}
        <{{ call.function.name }} {{ call.function.arguments | tojson }}>
        {%- endfor -%}
        {{ message.tool_call_id or '' }};
        {%- endfor -%}
        """)
    let text = try template.render(
      messages: Self.chat, addGenerationPrompt: false, bosToken: "", eosToken: "")
    #expect(
      text
        == "user:Weather?;assistant:<weather {\"city\": \"Porto\"}><now {}>;tool:sunny1;tool:12:002;user:Thanks;"
    )
  }
}
