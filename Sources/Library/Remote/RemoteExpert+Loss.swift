import Foundation
import Generation
import JSON
import Routing
import Tokenization

/// The loss of experts whose endpoint tells how probable a given text is: `/completions` with `echo` and `logprobs`, as
/// vLLM and this server have it. Most providers don't.
extension RemoteExpert {
  /// In bits per byte of what was scored.
  ///
  /// An answer is given its prompt and an empty line as plain text: the endpoint's chat template is not known here.
  package func loss(prompt: String, answer: String?) async throws -> Double {
    if let problem = health.obstacle {
      throw RemoteError.resting(expert: card.id, problem: problem)
    }
    let beginning = answer == nil ? "" : prompt + "\n\n"
    let text = beginning + (answer ?? prompt)
    let response = try await post(
      ScoredText.request(text, endpoint: endpoint), to: "/completions")
    guard response.status == 200 else {
      throw try await refusal(response, path: "/completions")
    }
    var body: [UInt8] = []
    do {
      for try await piece in response.body { body += piece }
      try Task.checkCancellation()
      let loss = try ScoredText.lossBitsPerByte(
        body, of: text, from: beginning.unicodeScalars.count)
      health.succeeded()
      return loss
    } catch let problem as CompletionReader.Problem {
      throw RemoteError.malformed(
        expert: card.id,
        problem: PeerMessage.without((try? endpoint.key()) ?? nil, problem.description))
    }
  }
}

/// What an endpoint says of a text that it is given.
package enum ScoredText {
  /// One token more is asked for, since not every endpoint makes none.
  package static func request(_ text: String, endpoint: Endpoint) -> [UInt8] {
    CompletionRequest.object(
      [
        ("model", { $0.string(endpoint.model) }), ("prompt", { $0.string(text) }),
        (endpoint.maxTokensField, { $0.number(1) }), ("temperature", { $0.number(0) }),
      ],
      endpoint: endpoint,
      // Whatever a card puts into requests.
      last: [
        ("logprobs", { $0.number(1) }), ("echo", { $0.bool(true) }), ("stream", { $0.bool(false) }),
      ])
  }

  /// - Parameters:
  ///   - text: What was sent; the answer may go on behind it.
  ///   - start: Characters (Unicode scalars) of the text that are not to be counted. A token across the border is not.
  package static func lossBitsPerByte(
    _ body: [UInt8], of text: String, from start: Int
  ) throws(CompletionReader.Problem) -> Double {
    func problem(_ description: String) -> CompletionReader.Problem {
      .init(description: description)
    }
    let value: JSONValue
    do throws(JSONParser.Failure) {
      value = try JSONParser.parse(body)
    } catch {
      throw problem("no JSON: \(error.problem) at byte \(error.offset)")
    }
    guard case .array(let choices)? = value["choices"], let found = choices.first?["logprobs"],
      case .array(let logprobs)? = found["token_logprobs"],
      case .array(let offsets)? = found["text_offset"], logprobs.count == offsets.count,
      case .string(let whole)? = choices.first?["text"],
      whole.unicodeScalars.starts(with: text.unicodeScalars)
    else { throw problem("it does not tell the log-probabilities of a given text") }
    var nats = 0.0
    var first: Int?
    let scalars = text.unicodeScalars
    let length = scalars.count
    for (logprob, offset) in zip(logprobs, offsets) {
      guard case .int(let offset) = offset else { throw problem("an offset that is no number") }
      guard (start..<length).contains(offset) else { continue }
      switch logprob {
      // A first token, which nothing precedes.
      case .null: continue
      case .int(let number): nats -= Double(number)
      case .double(let number): nats -= number
      default: throw problem("a log-probability that is no number")
      }
      first = min(first ?? offset, offset)
    }
    guard let first, nats.isFinite, nats >= 0 else {
      throw problem("no log-probabilities of the text")
    }
    let counted = scalars[scalars.index(scalars.startIndex, offsetBy: first)...]
    return nats / (log(2) * Double(String(counted).utf8.count))
  }
}
