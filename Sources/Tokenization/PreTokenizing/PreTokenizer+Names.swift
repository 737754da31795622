/// The pre-tokenizers by the names that GGUF files have for them.
extension PreTokenizer {
  static let gpt2 = PreTokenizer([.words])
  static let smollm = PreTokenizer([.numbers(digits: 1), .words])
  static let llama3 = PreTokenizer([.llama3])
  static let qwen2 = PreTokenizer([.qwen2])
  static let deepseekLLM = PreTokenizer([
    .lineEnds, .listedRuns(.casedLetters, afterSpace: true),
    .listedRuns(.widePunctuation, afterSpace: true), .trailingSpace,
    .listedRuns(.hanAndHangul, afterSpace: false), .numbers(digits: 1),
  ])
  static let deepseekCoder = PreTokenizer([
    .lineEnds, .classRuns(.letter), .classRuns(.punctuation),
    .listedRuns(.hanAndHangul, afterSpace: false), .numbers(digits: 1),
  ])
  static let deepseekV3 = PreTokenizer([
    .numbers(digits: 3), .listedRuns(.hanAndKana, afterSpace: false), .markedWords,
  ])

  /// What a name says besides how words are cut.
  struct Published: Sendable {
    let names: [String]
    let preTokenizer: PreTokenizer
    /// Whether a word that is a token as it stands is taken whole, without merging.
    var ignoresMerges = false
    /// Whether texts begin with the beginning token where the file does not say.
    var addsBeginning = false
  }

  /// The pre-tokenizer for a file's `tokenizer.ggml.pre`, or nil if it is not known here.
  package init?(name: String) {
    guard let published = Self.published(name) else { return nil }
    self = published.preTokenizer
  }

  /// What a file's `tokenizer.ggml.pre` stands for, or nil if it is not known here.
  static func published(_ name: String) -> Published? {
    all.first { $0.names.contains(name) }
  }

  /// llama.cpp's names, and what it does for each. Where its expressions only come close to a
  /// model's own, for want of Unicode's classes, the model's own hold here.
  private static let all = [
    Published(
      names: [
        "gpt-2", "gpt2", "mpt", "olmo", "jais", "roberta-bpe", "phi-2", "gigachat", "trillion",
        "exaone4", "mellum", "a.x-4.0", "modern-bert",
      ],
      preTokenizer: .gpt2),
    Published(
      names: [
        "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b",
        "mellum2",
      ],
      preTokenizer: .smollm),
    Published(
      names: [
        "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
      ],
      preTokenizer: .llama3, ignoresMerges: true, addsBeginning: true),
    Published(names: ["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"], preTokenizer: .llama3),
    Published(
      names: [
        "qwen2", "deepseek-r1-qwen", "stablelm2", "hunyuan", "megrez", "kormo", "grok-2",
        "solar-open", "bailingmoe", "bailingmoe2", "llada-moe",
      ],
      preTokenizer: .qwen2),
    Published(names: ["qwen35"], preTokenizer: PreTokenizer([.qwen35])),
    Published(names: ["seed-coder"], preTokenizer: PreTokenizer([.seedCoder])),
    Published(
      names: ["minicpm5"], preTokenizer: PreTokenizer([.numbers(digits: 3), .miniCPM5]),
      ignoresMerges: true),
    Published(
      names: ["gpt-4o", "llama4", "kanana2", "minimax-m2"],
      preTokenizer: PreTokenizer([.o200k])),
    Published(
      names: ["tekken"], preTokenizer: PreTokenizer([.tekken]), ignoresMerges: true,
      addsBeginning: true),
    Published(names: ["deepseek-llm"], preTokenizer: .deepseekLLM),
    Published(names: ["deepseek-coder"], preTokenizer: .deepseekCoder),
    Published(
      names: ["deepseek-v3", "hunyuan-dense", "joyai-llm"], preTokenizer: .deepseekV3),
  ]
}
