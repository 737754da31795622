import Grammar

/// Tells what a model thinks from what it answers, as its text comes in pieces.
package struct ReasoningReader: Sendable {
  package enum Piece: Sendable, Equatable {
    case reasoning(String)
    case answer(String)
  }

  /// What the prompt has left the model in.
  package enum Start: Sendable, Equatable {
    /// It thinks first, or it does not.
    case undecided
    /// The prompt has opened its thinking.
    case reasoning
    /// The prompt has ended its thinking: white space in front of the answer is not the answer's.
    case closed
    /// The prompt has begun the answer.
    case answer
  }

  /// What is being read.
  package enum Phase: Sendable, Equatable {
    /// Nothing yet, or what may become either.
    case undecided
    case reasoning
    /// Marks and headers, and calls of functions: neither is a part of the answer's text.
    case between
    case answer
  }

  private enum Reader {
    case think(ThinkReader)
    case channels(ChannelReader)
  }

  private var reader: Reader

  /// - Parameters:
  ///   - calls: How calls stand in the answer's text, where functions were offered; channels have their own.
  ///   - hidesPreambles: Whether what a model says before it calls or answers counts as thinking: where the
  ///     answer has a format.
  package init(
    _ style: ReasoningStyle, start: Start, calls: ToolCallStyle? = nil, hidesPreambles: Bool = false
  ) {
    if let bounds = style.bounds {
      reader = .think(ThinkReader(bounds, header: style.header, start))
    } else {
      reader = .channels(ChannelReader(start, calls: calls, hidesPreambles: hidesPreambles))
    }
  }

  package var phase: Phase {
    switch reader {
    case .think(let reader): reader.phase
    case .channels(let reader): reader.phase
    }
  }

  /// Whether white space that comes next is neither the thinking's nor the answer's.
  package var skipsSpace: Bool {
    if case .think(let reader) = reader {
      reader.phase == .answer && reader.skipsSpace
    } else {
      false
    }
  }

  /// Whether the model calls a function in a message of its own.
  package var isCalling: Bool {
    if case .channels(let reader) = reader { reader.isCalling } else { false }
  }

  /// Whether what is being read is said before a call or the answer itself, and so no part of the answer's format.
  package var isPreamble: Bool {
    if case .channels(let reader) = reader { reader.isPreamble } else { false }
  }

  /// Whether the answer has ended, whatever token did that.
  package var isOver: Bool {
    if case .channels(let reader) = reader { reader.isOver } else { false }
  }

  /// Takes the next piece of text.
  package mutating func take(_ text: String) -> [Piece] {
    switch reader {
    case .think(var think):
      defer { reader = .think(think) }
      return think.take(text)
    case .channels(var channels):
      defer { reader = .channels(channels) }
      return channels.take(text)
    }
  }

  /// Takes a token that stands for one of the style's marks.
  package mutating func take(mark: String) -> [Piece] {
    switch reader {
    case .think: return take(mark)
    case .channels(var channels):
      defer { reader = .channels(channels) }
      return channels.take(mark: mark)
    }
  }

  /// What is left at the end.
  package mutating func finish() -> [Piece] {
    switch reader {
    case .think(var think):
      defer { reader = .think(think) }
      return think.finish()
    case .channels(var channels):
      defer { reader = .channels(channels) }
      return channels.finish()
    }
  }
}
