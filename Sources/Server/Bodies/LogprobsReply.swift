import Generation
import Library
import Synchronization

/// The text of a token as clients show it.
struct TokenText {
  let bytes: [UInt8]

  /// A piece of a character has no text of its own: OpenAI writes its bytes out.
  var text: String {
    String(validating: bytes, as: UTF8.self)
      ?? "bytes:" + bytes.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// Characters (Unicode scalars) that begin in it.
  var scalarCount: Int { bytes.count { $0 & 0xC0 != 0x80 } }
}

/// `logprobs` of a choice of `/v1/chat/completions`.
struct ChatLogprobs: Encodable {
  struct Token: Encodable {
    let token: String
    let logprob: Double
    let bytes: [UInt8]

    init(_ logprob: TokenLogprob, _ bytes: (Int32) -> [UInt8]?) {
      let text = TokenText(bytes: bytes(logprob.token) ?? [])
      token = text.text
      self.logprob = logprob.logprob.encodable
      self.bytes = text.bytes
    }
  }

  struct Entry: Encodable {
    let chosen: Token
    let top_logprobs: [Token]

    private enum CodingKeys: String, CodingKey { case top_logprobs }

    func encode(to encoder: any Encoder) throws {
      try chosen.encode(to: encoder)
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(top_logprobs, forKey: .top_logprobs)
    }
  }

  let content: [Entry]

  /// - Parameter bytes: The bytes of a token.
  init(_ logprobs: [ChosenLogprob], _ bytes: (Int32) -> [UInt8]?) {
    content = logprobs.map { logprob in
      Entry(
        chosen: Token(logprob.chosen, bytes), top_logprobs: logprob.top.map { Token($0, bytes) })
    }
  }
}

/// `logprobs` of a choice of `/v1/completions`, or of a piece of it.
struct CompletionLogprobs: Encodable {
  var tokens: [String] = []
  /// Null for a first token, which nothing precedes.
  var token_logprobs: [Double?] = []
  var top_logprobs: [[String: Double]?] = []
  /// Where each token's text begins, in characters from the beginning of the whole text.
  var text_offset: [Int] = []

  /// One piece behind the other.
  static func + (left: CompletionLogprobs, right: CompletionLogprobs) -> CompletionLogprobs {
    CompletionLogprobs(
      tokens: left.tokens + right.tokens,
      token_logprobs: left.token_logprobs + right.token_logprobs,
      top_logprobs: left.top_logprobs + right.top_logprobs,
      text_offset: left.text_offset + right.text_offset)
  }
}

/// Makes `logprobs` of a text piece by piece; the offsets go on.
final class CompletionLogprobsWriter: Sendable {
  private let bytes: @Sendable (Int32) -> [UInt8]?
  private let offset = Mutex(0)

  /// - Parameter bytes: The bytes of a token.
  init(_ bytes: @escaping @Sendable (Int32) -> [UInt8]?) { self.bytes = bytes }

  /// Of a prompt that is given back.
  ///
  /// - Parameter text: The prompt. Some tokenizers put a space before it, which is not in it.
  func next(_ prompt: PromptScores, of text: String) -> CompletionLogprobs {
    let first = prompt.tokens.first.flatMap { bytes($0) }
    let hasSpace = first?.first == 0x20 && text.utf8.first != 0x20
    return next(
      zip(prompt.tokens, zip(prompt.logprobs, prompt.alternatives)).map { token, found in
        (token, found.0, found.1)
      }, dropsSpace: hasSpace)
  }

  /// Of an answer.
  func next(_ logprobs: [ChosenLogprob]) -> CompletionLogprobs {
    next(logprobs.map { ($0.chosen.token, $0.chosen.logprob, $0.top) }, dropsSpace: false)
  }

  private func next(
    _ tokens: [(token: Int32, logprob: Float?, top: [TokenLogprob])], dropsSpace: Bool
  ) -> CompletionLogprobs {
    var reply = CompletionLogprobs()
    offset.withLock { offset in
      for (index, (token, logprob, top)) in tokens.enumerated() {
        let all = bytes(token) ?? []
        let text = TokenText(bytes: dropsSpace && index == 0 ? Array(all.dropFirst()) : all)
        reply.tokens.append(text.text)
        reply.token_logprobs.append(logprob?.encodable)
        // With alternatives the token itself is among them, as OpenAI has it; of two that look alike the more
        // probable is there.
        let own = logprob.map { TokenLogprob(token: token, logprob: $0) }
        let alternatives = (top.isEmpty ? [] : top + [own].compactMap(\.self)).map {
          (TokenText(bytes: bytes($0.token) ?? []).text, $0.logprob.encodable)
        }
        reply.top_logprobs.append(
          logprob == nil ? nil : Dictionary(alternatives, uniquingKeysWith: max))
        reply.text_offset.append(offset)
        offset += text.scalarCount
      }
    }
    return reply
  }
}

extension Float {
  /// JSON has no infinities: what is impossible is as OpenAI writes it.
  fileprivate var encodable: Double { isFinite ? (Double(self) * 1e6).rounded() / 1e6 : -9999 }
}
