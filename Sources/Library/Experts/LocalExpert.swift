import Foundation
import Generation
import Grammar
import JSON
import Kernels
import ModelFiles
import Routing
import Synchronization
import Tokenization
import Transformer

/// An expert that runs in this process: a resident model, what this expert adds to it, and a chat
/// template.
package final class LocalExpert: Expert {
  package let card: ExpertCard
  package let layout: ChatLayout
  /// What is added to the model for this expert's requests; nil for the model alone.
  package let adapter: Adapter?
  private let model: ResidentModel
  private let isShutDown = Atomic<Bool>(false)

  /// Why a prompt with images on the web, or with GIFs, is not for an expert here.
  package static let leavesToEndpoints = "images on the web and GIFs are for endpoints alone"
  /// Threads that it computes on.
  package let threadCount: Int
  /// The special tokens as text, for templates that write them.
  private let beginningText: String
  private let endText: String
  private let controlTokens: ControlTokenGuard

  package init(
    card: ExpertCard, layout: ChatLayout, model: ResidentModel, adapter: Adapter?, threadCount: Int
  ) {
    self.card = card
    self.layout = layout
    self.model = model
    self.adapter = adapter
    self.threadCount = threadCount
    let tokenizer = model.tokenizer
    controlTokens = ControlTokenGuard(tokenizer)
    let name = { (id: Int32?) in
      id.map { String(decoding: tokenizer.bytes(of: $0), as: UTF8.self) } ?? ""
    }
    beginningText = name(tokenizer.beginningOfText)
    endText = name(tokenizer.endOfText)
  }

  deinit {
    if !isShutDown.load(ordering: .relaxed) { model.leave() }
  }

  package var tokenizer: any Tokenizer { model.tokenizer }
  /// The scheduler of the model, which other experts may share. Requests that go to it directly
  /// have to carry `adapter` themselves.
  package var scheduler: Scheduler { model.scheduler }
  /// The model itself, for tools that run no requests at the time.
  package var decoder: Decoder { model.decoder }

  package func answer(
    _ input: ExpertInput, parameters: SamplingParameters
  ) async throws -> GenerationStream {
    let asked = try prompt(input, for: parameters)
    // Requests that ask the gates for different things share no cached beginnings: a seed is asked
    // for only where a gate draws by it.
    let gates = decoder.gates + (adapter?.allGates ?? [])
    let gating = GateRequest(
      seed: gates.contains { $0.scores == .random } ? parameters.seed ?? 0 : 0,
      expertsK: parameters.expertsK,
      task: parameters.gateTask)
    var request = GenerationRequest(
      promptTokens: asked.tokens, parameters: parameters, gating: gating)
    if let images = asked.images {
      // A prompt that is too long is refused before anything is read.
      guard asked.tokens.count < scheduler.contextLength else {
        throw GenerationError.promptTooLong(
          promptTokens: asked.tokens.count, contextLength: scheduler.contextLength)
      }
      let start = ContinuousClock.now
      request.embeddings = try await images.embeddings()
      request.embeddingMilliseconds = start.duration(to: .now) / .milliseconds(1)
    }
    if let grammar = try grammar(for: parameters) {
      let table = await model.tokenTable()
      do throws(GrammarError) {
        request.constraint = try TokenConstraint(grammar, table)
      } catch {
        throw GenerationError.formatNotKept("\(error)")
      }
    }
    if parameters.tools != nil { request.toolCallStyle = layout.tools.style }
    if let start = asked.start, let reasoning = layout.reasoning {
      request.reasoning = reasoning.plan(
        parameters.reasoning, start: start, calls: request.toolCallStyle,
        hasFormat: parameters.format != nil, tokenizer: tokenizer)
    }
    return try generate(request)
  }

  private var readsNoImages: GenerationError {
    .invalidParameter(
      name: "messages", value: "an image", expected: "text: '\(card.id)' reads no images")
  }

  /// What the answer has to be; nil where it may be anything.
  private func grammar(for parameters: SamplingParameters) throws -> Grammar? {
    guard let tools = parameters.tools else { return parameters.format?.grammar }
    do {
      return try tools.grammar(
        layout.tools.style, isTaught: layout.tools.isTemplates, text: parameters.format?.grammar)
    } catch {
      throw GenerationError.invalidParameter(
        name: "tools", value: "\(error)", expected: "schemas that can be kept to")
    }
  }

  /// Begins a request of this expert: its adapter is put in, and what ends an answer in its layout.
  package func generate(
    _ request: GenerationRequest
  ) throws(GenerationError) -> GenerationStream {
    guard !isShutDown.load(ordering: .relaxed) else { throw .shutDown }
    var request = request
    request.adapter = adapter
    request.layoutStops = layout.stopTexts
    return try scheduler.generate(request)
  }

  /// The log-probability that this expert gives each token, given those before it.
  package func score(_ tokens: [Int32]) async throws -> TokenScores {
    guard !isShutDown.load(ordering: .relaxed) else { throw GenerationError.shutDown }
    return try await scheduler.score(tokens, adapter: adapter)
  }

  package func bytes(of token: Int32) -> [UInt8]? { tokenizer.bytes(of: token) }

  package func scorePrompt(
    _ input: ExpertInput, alternatives: Int
  ) async throws -> PromptScores {
    let tokens = try promptTokens(input)
    guard !isShutDown.load(ordering: .relaxed) else { throw GenerationError.shutDown }
    let scores = try await scheduler.score(tokens, adapter: adapter, alternatives: alternatives)
    // Whoever sent the tokens counts all of them.
    let isAdded = if case .tokens = input { false } else { true }
    let first = isAdded && tokens.first == tokenizer.beginningOfText ? 1 : 0
    return PromptScores(
      tokens: Array(tokens[first...]), logprobs: Array(scores.logprobs[first...]),
      alternatives: Array(scores.alternatives[first...]))
  }

  /// Mean number of experts that the gates of this mixture make active for a token of the text: under
  /// gates that keep more where they are unsure (*Harder Tasks Need More Experts*, DynMoLE), how hard
  /// the text is for it. Of a long text its beginning counts. Nil for experts without gates.
  package func meanActiveExperts(of text: String) async throws -> Double? {
    let bytes = text.utf8.prefix(Self.gateTokens * 32)
    let tokens = tokenizer.encode(
      String(decoding: bytes, as: UTF8.self), addSpecial: true, parseSpecial: false)
    guard !tokens.isEmpty else { return nil }
    let count = min(Self.gateTokens, scheduler.contextLength)
    return try await score(Array(tokens.prefix(count))).gateStatistics?.meanActive
  }

  /// Whether ``meanActiveExperts(of:)`` gives a number: whether a gate chooses token by token. Where
  /// experts are merged before the pass, none does.
  package var countsActiveExperts: Bool {
    guard decoder.gates.isEmpty else { return true }
    return adapter.map { $0.mergeCount == nil && !$0.allGates.isEmpty } ?? false
  }

  /// Tokens that ``meanActiveExperts(of:)`` reads at most, so that its cost is bounded.
  package static let gateTokens = 256

  package func promptTokenCount(
    _ input: ExpertInput, parameters: SamplingParameters
  ) throws -> Int {
    try prompt(input, for: parameters).tokens.count
  }

  private func prompt(
    _ input: ExpertInput, for parameters: SamplingParameters
  ) throws -> Prompt {
    try prompt(
      input, tools: layout.tools.told(of: parameters.tools, in: input),
      // What is by a format is so from its beginning.
      goesOn: parameters.format == nil && parameters.tools == nil, parameters.reasoning)
  }

  /// The tokens that the model sees for an input.
  ///
  /// - Parameters:
  ///   - tools: What it is told that it may call.
  ///   - goesOn: Whether an answer that was begun is gone on with, as llama-server does.
  ///   - reasoning: What is asked of its thinking.
  package func promptTokens(
    _ input: ExpertInput, tools: [Tool] = [], goesOn: Bool = true,
    reasoning: ReasoningRequest = ReasoningRequest()
  ) throws -> [Int32] {
    try prompt(input, tools: tools, goesOn: goesOn, reasoning).tokens
  }

  /// A prompt as the model sees it.
  private struct Prompt {
    var tokens: [Int32]
    /// What it leaves the model's thinking in; nil where it has none, or where a text is continued as it stands.
    var start: ReasoningReader.Start?
    /// For whose rows there are placeholders among the tokens.
    var images: ImagePrompt?
  }

  private func prompt(
    _ input: ExpertInput, tools: [Tool], goesOn: Bool, _ reasoning: ReasoningRequest
  ) throws -> Prompt {
    switch input {
    case .continuation(let text):
      return Prompt(tokens: tokenizer.encode(text, addSpecial: true, parseSpecial: false))
    case .tokens(let tokens, _): return Prompt(tokens: tokens)
    case .messages(let messages):
      var images: ImagePrompt?
      if !messages.allSatisfy(\.images.isEmpty) {
        guard let reader = model.images else { throw readsNoImages }
        images = try ImagePrompt(messages, for: reader)
      }
      var clean = try messages.map { try controlTokens.clean($0) }
      let fields = try tools.map { try controlTokens.clean($0.requestField) }
      var begun: ChatMessage?
      if goesOn, clean.count > 1, let last = clean.last, last.role == "assistant",
        last.toolCalls.isEmpty
      {
        begun = last
        clean.removeLast()
      }
      var text = try layout.template.render(
        messages: layout.tools.messages(clean, tools: fields), addGenerationPrompt: true,
        bosToken: beginningText, eosToken: endText,
        tools: layout.tools.isTemplates && !fields.isEmpty ? fields : nil,
        imagePlaceholder: model.images?.placeholder ?? "",
        variables: try reasoning.variables.mapValues { try controlTokens.clean($0) })
      var start: ReasoningReader.Start?
      if let thinking = layout.reasoning {
        (text, start) = thinking.opened(text, begun: begun, isOff: reasoning.isOff)
      } else if let begun {
        text = ReasoningLayout.joined(text, begun.content)
      }
      // A template that writes the beginning token itself must not get a second one.
      let writesBeginning = !beginningText.isEmpty && text.hasPrefix(beginningText)
      func encode(_ text: String, isFirst: Bool) -> [Int32] {
        tokenizer.encode(text, addSpecial: isFirst && !writesBeginning, parseSpecial: true)
      }
      let tokens = try images?.tokens(of: text, encode: encode) ?? encode(text, isFirst: true)
      return Prompt(tokens: tokens, start: start, images: images)
    }
  }

  /// The expert's loss in bits per byte: of the reference answer given the prompt where there is
  /// an answer, else of the prompt's own text, as far as the context reaches.
  package func loss(prompt: String, answer: String?) async throws -> Double {
    guard let answer else {
      let tokens = tokenizer.encode(prompt, addSpecial: true, parseSpecial: false)
      let limited = Array(tokens.prefix(scheduler.contextLength))
      let scores = try await score(limited)
      // Only what was scored counts: without a beginning token the first token has no loss, and
      // of a longer prompt the rest was not read.
      let firstIsScored = limited.first == tokenizer.beginningOfText
      let unscored = firstIsScored ? 0 : limited.first.map { tokenizer.bytes(of: $0).count } ?? 0
      let read =
        limited.count < tokens.count ? tokenizer.decode(limited).utf8.count : prompt.utf8.count
      guard limited.count > 1, read > unscored else {
        throw GenerationError.invalidParameter(
          name: "prompt", value: "too short to be scored", expected: "at least two tokens")
      }
      return scores.lossBitsPerByte(byteCount: read - unscored)
    }
    guard !answer.isEmpty else {
      throw GenerationError.invalidParameter(
        name: "answer", value: "empty", expected: "at least one byte")
    }
    guard !isShutDown.load(ordering: .relaxed) else { throw GenerationError.shutDown }
    // A reference answer has no thinking before it.
    let question = try promptTokens(
      .messages([ChatMessage(role: "user", content: prompt)]), reasoning: .off)
    let reply = tokenizer.encode(answer, addSpecial: false, parseSpecial: false)
    return try await scheduler.lossOfContinuation(
      prompt: question, answer: reply, answerBytes: answer.utf8.count, adapter: adapter
    ).lossBitsPerByte
  }

  package var isWorking: Bool {
    let statistics = scheduler.statistics
    return statistics.running + statistics.waiting > 0
  }

  package var keyValueType: KVLayout.ElementType? {
    decoder.pagePool.layout.layers.first?.elementType
  }

  package var residentBytes: Int { model.residentBytes }

  /// Takes no more requests. The model ends with the last expert that it serves; until then,
  /// answers of this one that are running go on to their end.
  package func shutDown(finishing: Bool) async {
    guard !isShutDown.exchange(true, ordering: .relaxed), model.leave() else { return }
    await scheduler.shutDown(finishing: finishing)
  }
}
