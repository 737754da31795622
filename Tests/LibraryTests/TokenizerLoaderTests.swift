import Library
import Testing

@Suite struct TokenizerLoaderTests {
  @Test(arguments: ["smollm2-135m", "gemma3-270m", "minilm-l6-v2"])
  func tokenizerAlone(id: String) throws {
    let tokenizer = try TokenizerLoader.tokenizer(named: id, modelsDirectory: Models.directory)
    let tokens = tokenizer.encode("hello world", addSpecial: false, parseSpecial: false)
    #expect(tokens.count == 2)
  }

  @Test func unknownName() {
    #expect {
      try TokenizerLoader.tokenizer(named: "nobody", modelsDirectory: Models.directory)
    } throws: { error in
      guard case .unknownExpert("nobody", let known)? = error as? LibraryError else { return false }
      return known.contains("smollm2-135m")
    }
  }
}
