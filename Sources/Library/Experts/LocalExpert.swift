import Foundation
import Generation
import Kernels
import ModelFiles
import Routing
import Tokenization
import Transformer

/// An expert that runs in this process: weights, tokenizer, chat template and scheduler.
package final class LocalExpert: Expert {
  package let card: ExpertCard
  package let tokenizer: any Tokenizer
  package let layout: ChatLayout
  package let scheduler: Scheduler
  /// The model itself, for tools that run no requests at the time.
  package let decoder: Decoder
  /// Threads that it computes on.
  package let threadCount: Int
  /// The special tokens as text, for templates that write them.
  private let beginningText: String
  private let endText: String
  private let controlTokens: ControlTokenGuard

  package init(
    card: ExpertCard, tokenizer: any Tokenizer, layout: ChatLayout, scheduler: Scheduler,
    decoder: Decoder, threadCount: Int
  ) {
    self.card = card
    self.tokenizer = tokenizer
    self.layout = layout
    self.scheduler = scheduler
    self.decoder = decoder
    self.threadCount = threadCount
    controlTokens = ControlTokenGuard(tokenizer)
    let name = { (id: Int32?) in
      id.map { String(decoding: tokenizer.bytes(of: $0), as: UTF8.self) } ?? ""
    }
    beginningText = name(tokenizer.beginningOfText)
    endText = name(tokenizer.endOfText)
  }

  package func answer(
    _ input: ExpertInput, parameters: SamplingParameters
  ) async throws -> GenerationStream {
    var parameters = parameters
    parameters.stop += layout.stopTexts
    let tokens = try promptTokens(input)
    return try scheduler.generate(
      GenerationRequest(promptTokens: tokens, parameters: parameters))
  }

  package func promptTokenCount(_ input: ExpertInput) throws -> Int {
    try promptTokens(input).count
  }

  /// The tokens that the model sees for an input.
  package func promptTokens(_ input: ExpertInput) throws -> [Int32] {
    switch input {
    case .continuation(let text):
      return tokenizer.encode(text, addSpecial: true, parseSpecial: false)
    case .messages(let messages):
      let messages = messages.map { message in
        var message = message
        message.content = controlTokens.clean(message.content)
        return message
      }
      let text = try layout.template.render(
        messages: messages, addGenerationPrompt: true, bosToken: beginningText,
        eosToken: endText)
      // A template that writes the beginning token itself must not get a second one.
      let writesBeginning = !beginningText.isEmpty && text.hasPrefix(beginningText)
      return tokenizer.encode(text, addSpecial: !writesBeginning, parseSpecial: true)
    }
  }

  /// The expert's loss in bits per byte: of the reference answer given the prompt where there is
  /// an answer, else of the prompt's own text, as far as the context reaches.
  package func loss(prompt: String, answer: String?) async throws -> Double {
    guard let answer else {
      let tokens = tokenizer.encode(prompt, addSpecial: true, parseSpecial: false)
      let limited = Array(tokens.prefix(scheduler.contextLength))
      let scores = try await scheduler.score(limited)
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
    let question = try promptTokens(.messages([ChatMessage(role: "user", content: prompt)]))
    let reply = tokenizer.encode(answer, addSpecial: false, parseSpecial: false)
    return try await scheduler.lossOfContinuation(
      prompt: question, answer: reply, answerBytes: answer.utf8.count
    ).lossBitsPerByte
  }

  package func shutDown(finishing: Bool) async {
    await scheduler.shutDown(finishing: finishing)
  }
}
