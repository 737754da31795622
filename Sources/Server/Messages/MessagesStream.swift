import Generation
import JSON
import Synchronization

/// The events of a streamed `/v1/messages`: blocks that begin, grow and end, one after another.
final class MessagesStream: Sendable {
  private enum Block {
    case thinking
    case text
    case call
  }

  private struct State {
    /// Blocks that have begun.
    var count = 0
    /// The one that is on its way; nil where none is.
    var open: Block?
  }

  private let message: MessageObject
  private let showsThinking: Bool
  private let cost: @Sendable (GenerationSummary) -> Double?
  private let state = Mutex(State())

  /// - Parameter cost: US dollars of an answer, where the expert has a price.
  init(
    _ message: MessageObject, showsThinking: Bool,
    cost: @escaping @Sendable (GenerationSummary) -> Double?
  ) {
    self.message = message
    self.showsThinking = showsThinking
    self.cost = cost
  }

  private static func event(
    _ type: String, _ fields: [(key: String, value: JSONValue)] = []
  ) -> [UInt8] {
    ServerSentEvents.event(
      json: JSONValue.object([("type", .string(type))] + fields).json, name: type)
  }

  /// Before the expert has begun. What it read is counted at the end, where such counts are the whole message's.
  func opening() -> [UInt8] {
    Self.event("message_start", [("message", message.json(content: [], summary: nil))])
      + Self.event("ping")
  }

  func thinking(_ piece: String) -> [UInt8] {
    guard showsThinking, !piece.isEmpty else { return [] }
    return state.withLock { state in
      let begun =
        state.open == .thinking ? [] : Self.begin(.thinking, MessageObject.thinking(""), &state)
      return begun + Self.delta("thinking_delta", "thinking", piece, state)
    }
  }

  func text(_ piece: String) -> [UInt8] {
    guard !piece.isEmpty else { return [] }
    return state.withLock { state in
      let begun =
        state.open == .text ? [] : Self.begin(.text, MessageObject.text(""), &state)
      return begun + Self.delta("text_delta", "text", piece, state)
    }
  }

  func callStart(id: String, name: String) -> [UInt8] {
    state.withLock { state in
      Self.begin(.call, MessageObject.call(id: id, name: name, input: .object([])), &state)
    }
  }

  func callArguments(_ piece: String) -> [UInt8] {
    state.withLock { state in
      state.open == .call ? Self.delta("input_json_delta", "partial_json", piece, state) : []
    }
  }

  func end(_ summary: GenerationSummary) -> [UInt8] {
    state.withLock { Self.end(&$0) }
      + Self.event(
        "message_delta",
        [
          ("delta", .object(MessageObject.stop(summary))),
          ("usage", MessageObject.usage(summary, cost: cost(summary))),
        ]) + Self.event("message_stop")
  }

  /// An answer that failed midway.
  static func failure(_ error: APIError) -> [UInt8] {
    ServerSentEvents.event(json: error.inAnthropicsWords.json, name: "error")
  }

  private static func begin(_ kind: Block, _ block: JSONValue, _ state: inout State) -> [UInt8] {
    let bytes = end(&state)
    state.open = kind
    state.count += 1
    return bytes + event("content_block_start", [place(state), ("content_block", block)])
  }

  private static func end(_ state: inout State) -> [UInt8] {
    guard state.open != nil else { return [] }
    state.open = nil
    return event("content_block_stop", [place(state)])
  }

  private static func delta(
    _ type: String, _ key: String, _ piece: String, _ state: State
  ) -> [UInt8] {
    event(
      "content_block_delta",
      [place(state), ("delta", .object([("type", .string(type)), (key, .string(piece))]))])
  }

  /// Of the block that began last.
  private static func place(_ state: State) -> (key: String, value: JSONValue) {
    ("index", .int(state.count - 1))
  }
}
