import Foundation
import JSON
import ModelFiles
import Testing
import Tokenization

@Suite struct ChatTemplateTests {
  /// A case of `scripts/fixtures/chat_templates.py`.
  struct Case {
    let template: String
    let messages: [ChatMessage]
    let addGenerationPrompt: Bool
    let tools: [JSONValue]?
    let variables: [String: JSONValue]
    let text: String?
    let error: String?
  }

  static func load() throws -> (sources: [String: String], cases: [Case]) {
    var sources: [String: String] = [:]
    var cases: [Case] = []
    for line in try Fixtures.data("chat-templates.jsonl").split(separator: 0x0A) {
      guard case .object(let pairs)? = try? JSONParser.parse(Array(line)) else {
        Issue.record("unreadable line \(String(decoding: line.prefix(80), as: UTF8.self))")
        continue
      }
      let row = Dictionary(pairs.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
      guard case .string(let template)? = row["template"] else { continue }
      if case .string(let source)? = row["source"] {
        sources[template] = source
        continue
      }
      var messages: [ChatMessage] = []
      if case .array(let items)? = row["messages"] {
        for case .object(let pairs) in items {
          var message = ChatMessage(role: "", content: "")
          for (key, value) in pairs {
            switch (key, value) {
            case ("role", .string(let role)): message.role = role
            case ("content", .string(let content)): message.content = content
            default: message.fields[key] = value
            }
          }
          messages.append(message)
        }
      }
      var variables: [String: JSONValue] = [:]
      if case .object(let pairs)? = row["variables"] {
        for pair in pairs { variables[pair.key] = pair.value }
      }
      func string(_ key: String) -> String? {
        if case .string(let text)? = row[key] { text } else { nil }
      }
      var tools: [JSONValue]?
      if case .array(let items)? = row["tools"] { tools = items }
      cases.append(
        Case(
          template: template, messages: messages,
          addGenerationPrompt: row["prompt"] == .bool(true), tools: tools, variables: variables,
          text: string("text"), error: string("error")))
    }
    return (sources, cases)
  }

  @Test func rendersWhatJinjaRenders() throws {
    let (sources, cases) = try Self.load()
    #expect(sources.count >= 12)
    #expect(cases.count > 250)
    var templates: [String: ChatTemplate] = [:]
    for (name, source) in sources { templates[name] = try ChatTemplate(source: source) }
    for item in cases {
      let template = try #require(templates[item.template])
      do throws(ChatTemplateError) {
        let text = try template.render(
          messages: item.messages, addGenerationPrompt: item.addGenerationPrompt,
          bosToken: "<s>", eosToken: "</s>", tools: item.tools, variables: item.variables,
          nowSeconds: 1_718_000_000)
        if let expected = item.text {
          #expect(
            Array(text.utf8) == Array(expected.utf8),
            "\(item.template): \(text.debugDescription) is not \(expected.debugDescription)")
        } else {
          Issue.record("\(item.template) should refuse: \(item.error ?? "")")
        }
      } catch {
        if item.error == nil {
          Issue.record("\(item.template): \(error)")
        } else if error.kind == .raised {
          #expect(error.description == item.error)
        }
      }
    }
  }

  @Test func theShippedModelsTemplate() throws {
    let file = try GGUFFile(path: ModelFolder.smollm)
    let template = try #require(try ChatTemplate(file: file))
    let tokenizer = try ParityTests.smollm.get()
    let text = try template.render(
      messages: [ChatMessage(role: "user", content: "Hi")], addGenerationPrompt: true,
      bosToken: "", eosToken: "")
    let ids = tokenizer.encode(text, addSpecial: false, parseSpecial: true)
    #expect(ids.filter { $0 == 1 }.count == 3)
    let gemma = try ChatTemplate(file: GGUFFile(path: ModelFolder.gemma))
    #expect(gemma?.source == nil)
  }

  @Test(arguments: ChatTemplate.BuiltIn.allCases)
  func builtInTemplates(_ name: ChatTemplate.BuiltIn) throws {
    let template = try ChatTemplate(name)
    func render(_ messages: [(String, String)]) throws -> String {
      try template.render(
        messages: messages.map { ChatMessage(role: $0.0, content: $0.1) },
        addGenerationPrompt: true, bosToken: "<s>", eosToken: "</s>")
    }
    let text = try render([
      ("system", "S"), ("user", "A"), ("assistant", "B"), ("user", "C"),
    ])
    switch name {
    case .chatml:
      #expect(
        text == "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nA<|im_end|>\n"
          + "<|im_start|>assistant\nB<|im_end|>\n<|im_start|>user\nC<|im_end|>\n"
          + "<|im_start|>assistant\n")
    case .gemma:
      #expect(
        text == "<s><start_of_turn>user\nS\n\nA<end_of_turn>\n<start_of_turn>model\n"
          + "B<end_of_turn>\n<start_of_turn>user\nC<end_of_turn>\n<start_of_turn>model\n")
    case .llama3:
      #expect(
        text == "<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|>"
          + "<|start_header_id|>user<|end_header_id|>\n\nA<|eot_id|>"
          + "<|start_header_id|>assistant<|end_header_id|>\n\nB<|eot_id|>"
          + "<|start_header_id|>user<|end_header_id|>\n\nC<|eot_id|>"
          + "<|start_header_id|>assistant<|end_header_id|>\n\n")
    case .mistral:
      #expect(text == "<s>[INST] A[/INST] B</s>[INST] S\n\nC[/INST]")
    }
    #expect(throws: Never.self) { try render([]) }
  }

  @Test func raisedErrorsCarryTheTemplatesMessage() throws {
    let template = try ChatTemplate(.gemma)
    let error = #expect(throws: ChatTemplateError.self) {
      try template.render(
        messages: [ChatMessage(role: "assistant", content: "")], addGenerationPrompt: true,
        bosToken: "", eosToken: "")
    }
    #expect(error?.kind == .raised)
    #expect(error?.description.hasPrefix("Conversation roles must alternate") == true)
  }

  private static let hostile = [
    "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
    "{% for i in range(99999999999) %}{% endfor %}",
    "{{ 'x' * 99999999999 }}",
    "{{ 'xxxxxxxxxx' * 9223372036854775807 }}",
    "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
    "{% set ns = namespace(s='xx') %}{% for i in range(99) %}{% set ns.s = ns.s | replace('x', ns.s) %}{% endfor %}",
    "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
    "{% set ns = namespace(l=[]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}",
    "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
    "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson }}",
    "{% set ns = namespace(l=[1], m=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l == ns.m }}",
    "{% set ns = namespace() %}{% set ns.a = ns %}",
    "{% set ns = namespace() %}{% set ns.a = [ns] %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f(a) %}{{ f(a) }}{{ f(a) }}{% endmacro %}{{ f(1) }}",
    "{% set x = 'ab' * 4000000 %}{% for i in range(1000) %}{{ x[::-1] | length }}{% endfor %}",
    "{% set x = 'a' * 8000000 %}{% for i in range(1000) %}{{ (x + 'b') in x }}{% endfor %}",
    "{{ 1" + String(repeating: " + 1", count: 900) + " }}",
    "{{ " + String(repeating: "(", count: 500) + "1" + String(repeating: ")", count: 500) + " }}",
    "{{ " + String(repeating: "[", count: 500) + "1" + String(repeating: "]", count: 500) + " }}",
    "{{ " + String(repeating: "not ", count: 1_500) + "1 }}",
    "{{ " + String(repeating: "-", count: 1_500) + "1 }}",
    "{{ a" + String(repeating: ".a", count: 900) + " }}",
    String(repeating: "{% if 1 %}", count: 5_000) + String(repeating: "{% endif %}", count: 5_000),
    String(repeating: "{{ x }}", count: 200_000),
    "{% set ns = namespace(l=0) %}{% for i in range(90000) %}{% for y in [ns.l] %}{% set ns.l = loop %}{% endfor %}{% endfor %}",
    "{% set x = 'a' * 16000000 %}{% for i in range(80000) %}{% set y = 'b'.strip(x) %}{% endfor %}",
    "{% set x = 'a' * 16000000 %}{% for i in range(80000) %}{% if x is lower %}{% endif %}{% endfor %}",
    "{% set x = 'a' * 16000000 %}{% for i in range(80000) %}{{ x | int }}{% endfor %}",
    "{% set x = 'a' * 16000000 %}{% for i in range(80000) %}{{ {}[x] }}{% endfor %}",
    "{% set x = '\n' * 14000000 %}{{ x.splitlines() | length }}",
    "{{ 'a' | map(" + String(repeating: "'map', ", count: 950) + "'upper') | list }}",
    "{% raw %}" + String(repeating: "{%", count: 500_000),
    "{{ " + String(repeating: "a", count: 100_000) + " }}",
  ]

  @Test func rawEndsAtItsOwnTagAlone() throws {
    for (source, wanted) in [
      ("{% raw %}{{ x }}{% if %}{% endraw %}!", "{{ x }}{% if %}!"),
      ("{% raw %}{% endraws %}{% endraw%}", "{% endraws %}"),
      ("{% raw %}a{%- endraw -%}  b", "ab"), ("{% raw %}{%+endraw+%}c", "c"),
    ] {
      let text = try ChatTemplate(source: source).render(
        messages: [], addGenerationPrompt: false, bosToken: "", eosToken: "")
      #expect(text == wanted)
    }
  }

  /// On a thread with a small stack, as a server's threads may have.
  @Test(arguments: hostile.indices)
  func hostileTemplatesEnd(_ index: Int) async {
    let source = Self.hostile[index]
    let error: ChatTemplateError? = await withCheckedContinuation { continuation in
      let thread = Thread {
        do throws(ChatTemplateError) {
          _ = try ChatTemplate(source: source).render(
            messages: [], addGenerationPrompt: true, bosToken: "", eosToken: "")
          continuation.resume(returning: nil)
        } catch {
          continuation.resume(returning: error)
        }
      }
      thread.stackSize = 512 << 10
      thread.start()
    }
    #expect(error != nil, "\(source.prefix(80))")
  }

  @Test(arguments: [
    ("{{ 1 + }}", 1), ("a\n{{ b", 2), ("{% if x %}", 1), ("\n\n{% frobnicate %}", 3),
    ("{% endif %}", 1), ("{{ 'abc }}", 1), ("{# ", 1), ("{{ $ }}", 1), ("{% for x %}", 1),
    ("{% break %}", 1), ("{{ 99999999999999999999 }}", 1), ("{% raw %}", 1),
  ])
  func syntaxErrorsNameTheLine(_ item: (source: String, line: Int)) {
    let error = #expect(throws: ChatTemplateError.self) { try ChatTemplate(source: item.source) }
    #expect(error?.kind == .syntax)
    #expect(error?.line == item.line, "\(error?.description ?? "")")
  }

  @Test func arithmeticOnTheEdgeIsAnError() throws {
    for source in [
      "{{ 9223372036854775807 + 1 }}", "{{ 1 // 0 }}", "{{ 1 % 0 }}", "{{ 1 / 0 }}",
      "{{ (-9223372036854775807 - 1) // -1 }}", "{{ 10 ** 40 }}", "{{ 2 ** -1 }}",
      "{{ 1.5 % 0 }}", "{{ 'a' + 1 }}", "{{ x.y.z }}", "{{ none.strip() }}", "{{ 'a' < 1 }}",
      "{{ [1][0:1:0] }}", "{{ range(1, 2, 0) }}", "{{ 5 is divisibleby 0 }}", "{{ 1() }}",
      "{{ f() }}", "{{ 1 | nofilter }}", "{{ 1 is notest }}", "{{ 'a'.split('') }}",
    ] {
      #expect(throws: ChatTemplateError.self, "\(source)") {
        try ChatTemplate(source: source).render(
          messages: [], addGenerationPrompt: false, bosToken: "", eosToken: "")
      }
    }
    for source in [
      "{{ [1, 2, 3][-9223372036854775807:9223372036854775807] }}",
      "{{ 'abc'[::9223372036854775807] }}",
      "{{ (-9223372036854775807 - 1) | abs }}", "{{ -(-9223372036854775807 - 1) }}",
      "{{ (-9223372036854775807 - 1) is divisibleby(-1) }}",
      "{{ (-9223372036854775807 - 1) % -1 }}",
      "{{ 1e400 | int }}", "{{ 1e300 | round(99) }}", "{{ 'a'.split('b', -5) }}",
      "{{ range(9223372036854775800, 9223372036854775807, 100) | list }}",
      "{{ 'a' | indent(999999999999) }}", "{{ strftime_now('%9999999d') | length }}",
    ] {
      #expect(throws: Never.self, "\(source)") {
        try ChatTemplate(source: source).render(
          messages: [], addGenerationPrompt: false, bosToken: "", eosToken: "")
      }
    }
  }

  @Test func mutatedTemplatesNeverCrash() throws {
    let (sources, _) = try Self.load()
    let all = sources.values.sorted()
    var random = SystemRandomNumberGenerator()
    let pieces = [
      "{%", "%}", "{{", "}}", "-", "'", "(", ")", "[", "]", "|", ".", " if ", "::", "endfor",
      "99999999999", "loop", "~", "+",
    ]
    var rendered = 0
    for _ in 0..<2_000 {
      var bytes = Array((all.randomElement(using: &random) ?? "").utf8)
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 1:
          bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...8, using: &random)))
        default: bytes.insert(contentsOf: (pieces.randomElement(using: &random) ?? "").utf8, at: at)
        }
        if bytes.isEmpty { bytes = [0x20] }
      }
      do throws(ChatTemplateError) {
        let template = try ChatTemplate(source: String(decoding: bytes, as: UTF8.self))
        _ = try template.render(
          messages: [
            ChatMessage(role: "user", content: "a"), ChatMessage(role: "assistant", content: "b"),
          ],
          addGenerationPrompt: true, bosToken: "", eosToken: "")
        rendered += 1
      } catch {
        #expect(!error.message.isEmpty)
      }
    }
    #expect(rendered > 0)
  }
}
