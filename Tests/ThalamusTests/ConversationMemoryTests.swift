import Testing
import Thalamus
import Tokenization

@Suite struct ConversationMemoryTests {
  private func chat(_ turns: (String, String)...) -> PromptInput {
    .messages(turns.map { ChatMessage(role: $0.0, content: $0.1) })
  }

  @Test func aConversationIsKnownByItsLastAnswer() {
    let memory = ConversationMemory()
    memory.note(answer: " Paris.\n", calling: [], to: .prompt("Capital of France?"), by: "a")
    let next = chat(
      ("user", "Capital of France?"), ("assistant", "Paris."), ("user", "And of Spain?"))
    #expect(memory.lastExpert(of: next) == "a")
    memory.note(answer: "Madrid.", calling: [], to: next, by: "b")
    let third = chat(
      ("user", "And of Spain?"), ("assistant", "Madrid."), ("user", "And of Portugal?"))
    #expect(memory.lastExpert(of: third) == "b", "what came before may be cut off")
  }

  @Test func strangersAreNotKnown() {
    let memory = ConversationMemory()
    memory.note(answer: "Paris.", calling: [], to: .prompt("Capital of France?"), by: "a")
    #expect(memory.lastExpert(of: .prompt("Capital of France?")) == nil)
    #expect(memory.lastExpert(of: chat(("user", "Capital of France?"))) == nil)
    #expect(
      memory.lastExpert(of: chat(("user", "Another?"), ("assistant", "Paris."), ("user", "x")))
        == nil)
    #expect(
      memory.lastExpert(
        of: chat(("user", "Capital of France?"), ("assistant", "Lyon."), ("user", "x"))) == nil)
  }

  @Test func anAnswerThatTheClientBeganIsWhole() {
    let memory = ConversationMemory()
    memory.note(
      answer: " is Paris.", calling: [], to: chat(("user", "Capital?"), ("assistant", "It")),
      by: "a")
    let next = chat(("user", "Capital?"), ("assistant", "It is Paris."), ("user", "Thanks"))
    #expect(memory.lastExpert(of: next) == "a")
  }

  @Test func callsArePartOfAnAnswer() {
    let memory = ConversationMemory()
    memory.note(answer: "", calling: ["add"], to: .prompt("1 + 1?"), by: "a")
    var call = ChatMessage(role: "assistant", content: "")
    call.toolCalls = [ToolCall(id: "x", name: "add", arguments: "{}")]
    let messages = [
      ChatMessage(role: "user", content: "1 + 1?"), call, ChatMessage(role: "tool", content: "2"),
    ]
    #expect(memory.lastExpert(of: .messages(messages)) == "a")
  }

  @Test func oldAnswersAreForgotten() {
    let memory = ConversationMemory(capacity: 4)
    for index in 0..<12 { memory.note(answer: "\(index)", calling: [], to: .prompt("q"), by: "a") }
    let known = (0..<12).filter {
      memory.lastExpert(of: chat(("user", "q"), ("assistant", "\($0)"), ("user", "x"))) != nil
    }
    #expect(known.count >= 4 && known.count <= 8 && known.last == 11, "\(known)")
  }
}
