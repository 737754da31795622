import Generation
import Grammar
import Testing
import Tokenization

@Suite struct ToolCallReaderTests {
  /// Text and calls of an answer that comes in pieces of so many characters.
  private func read(_ text: String, _ style: ToolCallStyle = .tagged, piece: Int) -> (
    text: String, calls: [ToolCall]
  ) {
    var reader = ToolCallReader(style) { "id" }
    var found: (text: String, calls: [ToolCall]) = ("", [])
    var pieces: [ToolCallReader.Piece] = []
    var rest = text[...]
    while !rest.isEmpty {
      pieces += reader.take(String(rest.prefix(piece)))
      rest = rest.dropFirst(piece)
    }
    pieces += reader.finish()
    for piece in pieces {
      switch piece {
      case .text(let text):
        #expect(!text.isEmpty)
        found.text += text
      case .callStart(let id, let name):
        found.calls.append(ToolCall(id: id, name: name, arguments: ""))
      case .callArguments(let piece):
        #expect(!piece.isEmpty)
        found.calls[found.calls.count - 1].arguments += piece
      }
    }
    #expect(reader.callCount <= found.calls.count)
    return found
  }

  private static let call =
    "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"b\": 1, \"a\": [\"</x>\"]}}\n</tool_call>"
  private static let made = ToolCall(id: "id", name: "f", arguments: #"{"b":1,"a":["</x>"]}"#)

  @Test(arguments: [1, 2, 5, 11, 1000]) func textsAndCalls(piece: Int) {
    for (text, expected, calls) in [
      ("", "", 0), ("Plain é text \n ", "Plain é text \n ", 0), ("a <tool_cal", "a <tool_cal", 0),
      ("<<tool_call", "<<tool_call", 0), (Self.call, "", 1),
      ("Let me see. \n" + Self.call + "\n", "Let me see.", 1),
      (Self.call + "\n" + Self.call, "", 2), (Self.call + " more", " more", 1),
      // Cut off before it has a name: nothing to show. No call: shown as it is.
      ("Well. <tool_call>\n{\"name\"", "Well.", 0),
      ("<tool_call>[]</tool_call>", "<tool_call>[]</tool_call>", 0),
    ] {
      let found = read(text, piece: piece)
      #expect(found.text == expected, "\(text)")
      #expect(found.calls == Array(repeating: Self.made, count: calls), "\(text)")
    }
  }

  /// The closing mark within an argument is a part of it, and an object that is none has its end at the mark.
  @Test(arguments: [1, 4, 1000]) func marksWithinACall(piece: Int) {
    let text = #"see </tool_call> and \" {"#
    let call = #"<tool_call> {"name": "f", "arguments": {"t": "\#(text)"}} </tool_call>"#
    let found = read("a " + call + call + "b", piece: piece)
    #expect(found.text == "ab")
    let made = ToolCall(id: "id", name: "f", arguments: #"{"t":"\#(text)"}"#)
    #expect(found.calls == [made, made])
    for other in [
      "<tool_call>\"x\" {</tool_call>", "<tool_call>{} {} </tool_call>", "<tool_call></tool_call>",
    ] {
      let found = read(other + Self.call, piece: piece)
      #expect(found.text == other && found.calls == [Self.made], "\(other)")
    }
  }

  /// What came of a call that was cut off is there; that it is not whole, the reason tells.
  @Test(arguments: [1, 4, 1000]) func aCallThatIsCutOff(piece: Int) {
    for (rest, name, arguments) in [
      (" {\"name\": \"f\"", "f", ""), (" {\"name\": \"f\", \"arguments\": ", "f", ""),
      (" {\"name\": \"f\", \"arguments\": { \"a\": [1,\n 2", "f", "{\"a\":[1,2"),
      (" {\"name\": \"f\", \"arguments\": { \"a\": \"x y", "f", "{\"a\":\"x y"),
      (" {\"name\": \"f\", \"arguments\": {}", "f", "{}"),
    ] {
      let found = read("<tool_call>" + rest, piece: piece)
      #expect(found.text.isEmpty, "\(rest)")
      #expect(found.calls == [ToolCall(id: "id", name: name, arguments: arguments)], "\(rest)")
    }
    #expect(read(#"{"name": "f", "parameters": {"a"#, .bare, piece: piece).calls.count == 1)
    #expect(read(#"{"nam"#, .bare, piece: piece).text == #"{"nam"#)
  }

  /// Members in another order are read once they are all there.
  @Test(arguments: [1, 1000]) func anotherOrder(piece: Int) {
    let found = read(
      #"<tool_call>{"arguments": {"t": "</tool_call>"}, "name": "f"}</tool_call> x"#, piece: piece)
    #expect(found.text == " x")
    #expect(found.calls == [ToolCall(id: "id", name: "f", arguments: #"{"t":"</tool_call>"}"#)])
  }

  @Test(arguments: [1, 3, 1000]) func bareObjects(piece: Int) {
    let object = #"{"name": "f", "parameters": {"b": 1, "a": ["</x>"]}}"#
    let found = read("\n" + object, .bare, piece: piece)
    #expect(found.text.isEmpty)
    #expect(found.calls == [Self.made])
    #expect(read("Text " + object, .bare, piece: piece).text == "Text " + object)
    #expect(read("{\"x\": 1}", .bare, piece: piece).text == "{\"x\": 1}")
  }

  /// Text is not held back without need.
  @Test func textComesAtOnce() {
    var reader = ToolCallReader(.tagged)
    #expect(reader.take("Hello") == [.text("Hello")])
    #expect(reader.take(" a < b") == [.text(" a < b")])
    #expect(reader.take(" <tool") == [])
    #expect(reader.take("box>") == [.text(" <toolbox>")])
  }

  @Test func idsDiffer() {
    #expect(ToolCallReader.randomID() != ToolCallReader.randomID())
    #expect(ToolCallReader.randomID().hasPrefix("call_"))
  }
}
