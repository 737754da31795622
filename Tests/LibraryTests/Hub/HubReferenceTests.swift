import Library
import Testing

@Suite struct HubReferenceTests {
  @Test(arguments: [
    ("hf:Qwen/Qwen3-0.6B-GGUF", "Qwen/Qwen3-0.6B-GGUF", nil, HubReference.Choice.usual),
    ("hf:a/b:Q8_0", "a/b", nil, .quantization("Q8_0")),
    ("HF.co/a/b:q4_k_m", "a/b", nil, .quantization("q4_k_m")),
    ("hf:a/b@v1.0:Q8_0", "a/b", "v1.0", .quantization("Q8_0")),
    ("hf://a/b", "a/b", nil, .usual),
    ("https://huggingface.co/a/b", "a/b", nil, .usual),
    ("https://huggingface.co/a/b/", "a/b", nil, .usual),
    ("https://huggingface.co/a/b/tree/main", "a/b", "main", .usual),
    ("https://hf.co/a/b/blob/main/c.gguf?download=true", "a/b", "main", .file("c.gguf")),
    ("https://huggingface.co/a/b/resolve/v2/c/d.gguf", "a/b", "v2", .file("c/d.gguf")),
    ("hf:a/b/c/d.GGUF", "a/b", nil, .file("c/d.GGUF")),
    ("hf:a/b@c0ffee/d.gguf", "a/b", "c0ffee", .file("d.gguf")),
  ])
  func names(
    text: String, repository: String, revision: String?, choice: HubReference.Choice
  ) throws {
    let reference = try #require(try HubReference(text))
    #expect(reference.repository == repository)
    #expect(reference.revision == revision)
    #expect(reference.choice == choice)
    #expect(try HubReference("\(reference)") == reference, "what it prints means the same")
  }

  @Test(arguments: [
    "models/a.gguf", "/a/b", "https://api.openai.com/v1", "https://router.huggingface.co/v1",
    "https://huggingface.co.evil.example/a/b", "", "hf", "hfx:a/b",
  ])
  func othersAreNone(text: String) throws {
    #expect(try HubReference(text) == nil)
  }

  @Test(arguments: [
    "hf:", "hf:a", "hf:/b", "hf:a/", "hf:a/..", "hf:../b", "hf:a/b:", "hf:a/b@", "hf:a/b@../c",
    "hf:a/b@-x", "hf:a/b:Q8 0", "hf:a/b/c.bin", "hf:a/b/../c.gguf", "hf:a/b//c.gguf",
    "hf:a/b:Q8_0/c.gguf", "hf:a/b\nc", "hf:a/b?c", "hf:a%2Fb/c", "https://huggingface.co/models",
    "hf:a/b/c\\d.gguf",
  ])
  func wrongNames(text: String) {
    #expect {
      _ = try HubReference(text)
    } throws: {
      if case .invalidName? = $0 as? HubError { true } else { false }
    }
  }
}
