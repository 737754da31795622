import Library
import Testing

@Suite struct CompletionReaderTests {
  private func read(
    _ text: String, piece: Int = 1 << 20
  ) throws -> (text: String, reader: CompletionReader) {
    let (text, _, reader) = try readAll(text, piece: piece)
    return (text, reader)
  }

  private func readAll(
    _ text: String, piece: Int = 1 << 20
  ) throws -> (text: String, reasoning: String, reader: CompletionReader) {
    var reader = CompletionReader()
    var found: [CompletionReader.Piece] = []
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: piece) {
      found += try reader.read(Array(bytes[start..<min(bytes.count, start + piece)]))
    }
    found += try reader.end()
    var texts = ("", "")
    for piece in found {
      switch piece {
      case .text(let text):
        #expect(!text.isEmpty)
        texts.0 += text
      case .reasoning(let text):
        #expect(!text.isEmpty)
        texts.1 += text
      }
    }
    return (texts.0, texts.1, reader)
  }

  private func problem(_ text: String) -> String? {
    do {
      _ = try read(text)
      return nil
    } catch let problem as CompletionReader.Problem {
      return problem.description
    } catch {
      return "\(error)"
    }
  }

  private static let stream = """
    data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

    : keep-alive

    data: {"choices":[{"index":0,"delta":{"content":"Hé"}}]}

    data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}

    data: {"choices":[{"index":0,"delta":{"content":null}}]}

    data: {"choices":[{"index":0,"delta":{"content":"llo \\ud83d\\ude00"},"finish_reason":"length"}],"usage":null}

    data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":8}}}

    data: [DONE]


    """

  @Test(arguments: [1, 3, 10, 10_000])
  func streams(piece: Int) throws {
    let (text, reasoning, reader) = try readAll(Self.stream, piece: piece)
    #expect(text == "Héllo 😀" && reasoning == "hm")
    #expect(reader.finishReason == "length")
    #expect(reader.promptTokens == 12 && reader.completionTokens == 3)
    #expect(reader.cachedPromptTokens == 8)
  }

  /// What was thought, under either name, whole or in pieces; counted where the endpoint does.
  @Test func thinkingInItsForms() throws {
    for (json, reasoning) in [
      (#"{"message":{"content":"4","reasoning_content":"Hm."}}"#, "Hm."),
      (#"{"message":{"content":"4","reasoning":"Hm."}}"#, "Hm."),
      (#"{"message":{"content":"4","reasoning":"Hm.","reasoning_content":"Hm."}}"#, "Hm."),
      (#"{"message":{"content":"4","reasoning_content":null,"reasoning":"Hm."}}"#, "Hm."),
      (#"{"message":{"content":"4","reasoning_content":"","reasoning":{"a":1}}}"#, ""),
      (#"{"message":{"content":"4","reasoning":7}}"#, ""),
    ] {
      let found = try readAll(
        #"{"choices":[\#(json.dropLast()),"finish_reason":"stop"}],"usage":{"completion_tokens":9,"completion_tokens_details":{"reasoning_tokens":6}}}"#
      )
      #expect(found.text == "4" && found.reasoning == reasoning, "\(json)")
      #expect(found.reader.reasoningTokens == 6)
    }
  }

  /// Whole calls, without numbers, with arguments as an object (Ollama), without ids or arguments.
  @Test func callsThatComeWhole() throws {
    let (text, reader) = try read(
      #"{"choices":[{"message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":{"b":1,"a":2}}},{"id":"x","function":{"name":"g"}},{"id":"y"}]},"finish_reason":"stop"}]}"#
    )
    #expect(text.isEmpty)
    #expect(reader.toolCalls.map(\.name) == ["f", "g"])
    #expect(reader.toolCalls.map(\.arguments) == [#"{"b":1,"a":2}"#, "{}"])
    #expect(reader.toolCalls[0].id.hasPrefix("call_") && reader.toolCalls[1].id == "x")
    let many = (0..<200).map { #"{"index":\#($0),"function":{"name":"f"}}"# }.joined(separator: ",")
    #expect(
      problem(#"{"choices":[{"message":{"tool_calls":[\#(many)]}}]}"#)?.contains("128") == true)
  }

  /// Endpoints that number every call 0, or none, and such as repeat ids and names with every piece.
  @Test(arguments: [
    [
      #"[{"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}]"#,
      #"[{"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}}]"#,
    ],
    [
      #"[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}]"#,
      #"[{"index":0,"id":"b","function":{"name":"g","arguments":"{\"y\":"}}]"#,
      #"[{"index":0,"function":{"arguments":"2}"}}]"#,
    ],
    [
      #"[{"function":{"name":"f","arguments":"{\"x\":1}"}}]"#,
      #"[{"function":{"name":"g","arguments":"{\"y\":2}"}}]"#,
    ],
    [
      #"[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}}]"#,
      #"[{"index":0,"id":"a","function":{"name":"f","arguments":":1}"}},{"index":1,"id":"b","function":{"name":"g","arguments":""}}]"#,
      #"[{"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}}]"#,
    ],
    [
      #"[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}}]"#,
      #"[{"index":0,"id":"zz","function":{"name":"f","arguments":":1}"}}]"#,
      #"[{"index":0,"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}}]"#,
    ],
  ])
  func callsAreToldApart(events: [String]) throws {
    var reader = CompletionReader()
    for event in events {
      _ = try reader.read(
        Array("data: {\"choices\":[{\"delta\":{\"tool_calls\":\(event)}}]}\n\n".utf8))
    }
    #expect(reader.toolCalls.map(\.name) == ["f", "g"])
    #expect(reader.toolCalls.map(\.arguments) == [#"{"x":1}"#, #"{"y":2}"#])
    #expect(reader.toolCallBytes == 14)
  }

  /// Endpoints differ in what they leave out.
  @Test func lessThanAll() throws {
    let one = #"data: {"choices":[{"text":"a","finish_reason":null}]}"# + "\n\n"
    let end = #"data: {"choices":[{"text":"b","finish_reason":"stop"}]}"#
    #expect(try read(one + end).text == "ab", "no [DONE], no line's end")
    #expect(try read(one + end).text == "ab")
    #expect(try read(one + "data: [DONE]\n\n").text == "a", "no finish reason")
    #expect(try read(one + "data: [DONE]\n\n" + one).text == "a", "nothing counts behind the end")
    let parts =
      #"data: {"choices":[{"delta":{"content":[{"type":"text","text":"x"},{"type":"other"}]}}]}"#
    #expect(try read(parts + "\n\ndata: [DONE]\n\n").text == "x")
    #expect(try read(one + end).reader.promptTokens == nil)
    #expect(try read(one + "data: [DONE] \n\n").text == "a", "spaces around the end")
    let other = #"data: {"choices":[{"index":1,"text":"no"},{"index":0,"text":"yes"}]}"#
    #expect(try read(other + "\n\ndata: [DONE]\n\n").text == "yes")
  }

  /// Half a character is one that is not known, and no reason to lose an answer.
  @Test func halfCharacters() throws {
    var reader = CompletionReader()
    let bytes =
      Array(#"data: {"choices":[{"text":"a"#.utf8) + [0xF0, 0x9F]
      + Array(#"b","finish_reason":"stop"}]}"#.utf8) + [10, 10]
    #expect(try reader.read(bytes) == [.text("a\u{FFFD}b")])
  }

  @Test func wholeAnswers() throws {
    let json =
      #" {"choices":[{"message":{"role":"assistant","content":"all"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#
    let (text, reader) = try read(json, piece: 7)
    #expect(text == "all")
    #expect(reader.completionTokens == 2)
    #expect(problem("") != nil)
    #expect(problem(String(json.dropLast())) != nil)
  }

  @Test(arguments: [
    ("", "the answer broke off"),
    ("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n", "the answer broke off"),
    ("data: {\"choices\"\n\n", "no JSON: "), ("data: nonsense\n\n", "no JSON: "),
    ("data: [1,2]\n\n", "an array, no object"), ("data: {\"a\":1}\n\n", "no 'choices'"),
    ("data: {\"error\":{\"message\":\"too\\nhot\"}}\n\n", "too hot"),
    ("data: {\"error\":\"cold\"}\n\n", "cold"),
    ("data: {\"error\":{\"a\":1}}\n\n", "an error that it does not name"),
    ("data: " + String(repeating: "[", count: 100_000) + "\n\n", "no JSON: "),
    ("<html>Bad gateway</html>", "the answer broke off"),
  ])
  func badStreams(text: String, part: String) {
    #expect(problem(text)?.hasPrefix(part) == true, "\(problem(text) ?? "taken")")
  }

  /// Values of the wrong kind where others are expected: nothing, or a problem, and no crash.
  @Test func strangeValues() {
    let values = ["1", "-1", "1e400", "\"x\"", "[]", "{}", "true", "99999999999999999999999"]
    for value in values {
      for form in [
        "{\"choices\":\(value)}", "{\"choices\":[\(value)]}",
        "{\"choices\":[{\"delta\":\(value)}]}",
        "{\"choices\":[{\"delta\":{\"content\":\(value)}}]}",
        "{\"choices\":[{\"finish_reason\":\(value)}]}", "{\"choices\":[],\"usage\":\(value)}",
        "{\"choices\":[],\"usage\":{\"prompt_tokens\":\(value),\"completion_tokens\":\(value)}}",
      ] {
        _ = problem("data: \(form)\n\ndata: [DONE]\n\n")
        _ = problem(form)
      }
    }
  }
}
