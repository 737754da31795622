import Generation
import Testing
import Tokenization
import Transformer

/// The real model behind the scheduler, with the kernels that serve.
@Suite(.serialized) struct RealModelTests {
  @Test func textInBatchEqualsTextAlone() async throws {
    let (decoder, tokenizer) = try SchedulerFixture.smolLM()
    let scheduler = Scheduler(decoder: decoder, tokenizer: tokenizer)
    let prompts = [
      "The capital of France is", "def fibonacci(n):", "Once upon a time there was a",
      "Water boils at", "A memória é",
    ].map { tokenizer.encode($0, addSpecial: true, parseSpecial: false) }
    var alone: [String] = []
    for prompt in prompts { alone.append(try await scheduler.answer(prompt).text) }
    #expect(alone[0].contains("Paris"))
    try await withThrowingTaskGroup(of: (Int, String).self) { group in
      for (index, prompt) in prompts.enumerated() {
        group.addTask { (index, try await scheduler.answer(prompt).text) }
      }
      for try await (index, text) in group { #expect(text == alone[index]) }
    }
  }

  @Test func anAnswerToAChat() async throws {
    let (decoder, tokenizer) = try SchedulerFixture.smolLM()
    let scheduler = Scheduler(decoder: decoder, tokenizer: tokenizer)
    let prompt = tokenizer.encode(
      "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n",
      addSpecial: true,
      parseSpecial: true)
    let answer = try await scheduler.answer(prompt, maxTokens: 60)
    #expect(answer.text.contains("Paris"))
    #expect(answer.summary?.finishReason == .endToken)
  }
}
