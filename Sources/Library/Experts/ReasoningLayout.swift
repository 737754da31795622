import Generation
import Grammar
import Tokenization

/// How an expert that thinks before it answers is prompted, and how its thinking is told from its answer.
package struct ReasoningLayout: Sendable, Equatable {
  package let style: ReasoningStyle

  package init(_ style: ReasoningStyle) { self.style = style }

  /// By what a template's text says; nil for a model that does not think.
  package init?(templateSource source: String) {
    if source.contains("<|channel|>analysis") {
      style = .channels
    } else if let style = [ReasoningStyle.thought, .think].first(where: { style in
      source.contains(style.opening) || style.bounds.map { source.contains($0.close) } ?? false
    }) {
      self.style = style
    } else {
      return nil
    }
  }

  /// A card's word for how an expert thinks.
  package enum Name: String, Sendable, CaseIterable {
    case think, thought, channels
    /// It does not, whatever its template says.
    case none

    var layout: ReasoningLayout? {
      switch self {
      case .think: ReasoningLayout(.think)
      case .thought: ReasoningLayout(.thought)
      case .channels: ReasoningLayout(.channels)
      case .none: nil
      }
    }
  }

  /// A prompt as the template wrote it, with what the model goes on from.
  ///
  /// - Parameters:
  ///   - text: Ends with the opening of the assistant's turn.
  ///   - begun: An answer that is gone on with.
  ///   - isOff: Whether the model is to answer at once.
  package func opened(
    _ text: String, begun: ChatMessage?, isOff: Bool
  ) -> (text: String, start: ReasoningReader.Start) {
    if let bounds = style.bounds {
      openedThink(text, close: bounds.close, begun: begun, isOff: isOff)
    } else {
      openedChannels(text, begun: begun)
    }
  }

  private func openedThink(
    _ text: String, close: String, begun: ChatMessage?, isOff: Bool
  ) -> (text: String, start: ReasoningReader.Start) {
    let open = style.opening
    let end = text[...].trimmingSuffix { $0.isWhitespace }
    let isOpen = end.hasSuffix(open)
    let thought = begun?.reasoning ?? ""
    let said = begun?.content ?? ""
    // Written out in the answer itself.
    if said.contains(open) || said.contains(close) {
      let isOpenStill =
        said.ranges(of: open).last.map { said[$0.upperBound...].contains(close) } == false
      let more = isOpen && said.hasPrefix(open) ? String(said.dropFirst(open.count)) : said
      return (text + more, isOpenStill ? .reasoning : Self.start(behind: said, close))
    }
    let opening = isOpen ? "" : "\(open)\n"
    if !said.isEmpty {
      let thinking =
        thought.isEmpty ? (isOpen ? style.closing : "") : opening + thought + style.closing
      return (Self.joined(text, thinking + said), .answer)
    }
    if !thought.isEmpty { return (text + opening + thought, .reasoning) }
    if isOpen { return isOff ? (text + style.closing, .closed) : (text, .reasoning) }
    return (text, end.hasSuffix(close) ? .closed : .undecided)
  }

  /// Behind a mark that ended the thinking, what white space follows is not the answer's.
  private static func start(behind said: String, _ close: String) -> ReasoningReader.Start {
    said[...].trimmingSuffix { $0.isWhitespace }.hasSuffix(close)
      ? .closed : .answer
  }

  private func openedChannels(
    _ text: String, begun: ChatMessage?
  ) -> (text: String, start: ReasoningReader.Start) {
    let thought = begun?.reasoning ?? ""
    let said = begun?.content ?? ""
    let thinking = thought.isEmpty ? "" : "<|channel|>analysis<|message|>" + thought
    if said.isEmpty { return (text + thinking, thought.isEmpty ? .undecided : .reasoning) }
    let before = thought.isEmpty ? "<|channel|>final<|message|>" : thinking + style.closing
    return (text + before + said, .answer)
  }

  /// An answer that was begun behind its prompt, from which some templates leave it to be kept apart.
  static func joined(_ text: String, _ begun: String) -> String {
    guard !begun.isEmpty else { return text }
    return text + (text.last?.isWhitespace == false ? " " : "") + begun
  }

  /// What the scheduler needs to tell one answer's thinking.
  ///
  /// - Parameter calls: How calls stand in the answer, where functions are offered.
  func plan(
    _ request: ReasoningRequest, start: ReasoningReader.Start, calls: ToolCallStyle?,
    hasFormat: Bool, tokenizer: any Tokenizer
  ) -> ReasoningPlan {
    var marks: [Int32: String] = [:]
    for mark in style.marks {
      if let id = tokenizer.id(ofToken: mark) { marks[id] = mark }
    }
    return ReasoningPlan(
      reader: ReasoningReader(style, start: start, calls: calls, hidesPreambles: hasFormat),
      marks: marks,
      // One that is not to think is not let begin by the mask either.
      opening: request.isOff ? nil : style.openingMark.flatMap { tokenizer.id(ofToken: $0) },
      budgetTokens: request.isOff ? 0 : request.budgetTokens,
      closing: tokenizer.encode(style.closing, addSpecial: false, parseSpecial: true))
  }
}

extension Substring {
  fileprivate func trimmingSuffix(while isDropped: (Character) -> Bool) -> Substring {
    var end = endIndex
    while end > startIndex, isDropped(self[index(before: end)]) { end = index(before: end) }
    return self[..<end]
  }
}
