import Generation
import Testing
import Tokenization
import Transformer

/// The real model behind the scheduler, with the kernels that serve.
@Suite(.serialized) struct RealModelTests {
  /// Fifty prompts of several kinds and lengths, and their greedy texts, one after another and all
  /// at once: an answer does not depend on who else asks.
  @Test func textInBatchEqualsTextAlone() async throws {
    let (decoder, tokenizer) = try SchedulerFixture.smolLM()
    let scheduler = Scheduler(decoder: decoder, tokenizer: tokenizer)
    let beginnings = [
      "The capital of France is", "def fibonacci(n):", "Once upon a time there was a",
      "Water boils at", "A memória é", "The Licensee shall not, without prior written consent,",
      "Common side effects of metformin are", "import numpy as np\n\ndef softmax(x):\n",
      "Question: 3x + 5 = 20. What is x?\nAnswer:", "O Romeo, Romeo,",
    ]
    let contexts = [
      "", "Continue the text.\n\n", "A page from an old notebook, found in a library:\n",
      "1. Read the text slowly.\n2. Think of what may follow.\n3. Write it down.\n\n",
      String(repeating: "The rain fell on the roof all night. ", count: 20) + "\n",
    ]
    let prompts = contexts.flatMap { context in beginnings.map { context + $0 } }
      .map { tokenizer.encode($0, addSpecial: true, parseSpecial: false) }
    #expect(prompts.count == 50)
    var alone: [String] = []
    for prompt in prompts { alone.append(try await scheduler.answer(prompt, maxTokens: 24).text) }
    #expect(alone[0].contains("Paris"))
    #expect(Set(alone).count > 40)
    try await withThrowingTaskGroup(of: (Int, String).self) { group in
      for (index, prompt) in prompts.enumerated() {
        group.addTask { (index, try await scheduler.answer(prompt, maxTokens: 24).text) }
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
