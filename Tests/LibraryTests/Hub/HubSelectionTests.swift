import Library
import Testing

@Suite struct HubSelectionTests {
  private func choose(_ name: String, _ paths: [String]) throws -> HubSelection {
    let reference = try #require(try HubReference(name))
    return try HubSelection(reference, among: paths.map { HubFile(path: $0, byteCount: 9) })
  }

  /// The paths of the files that are chosen, or the error's text.
  private func result(_ name: String, _ paths: [String]) -> String {
    do {
      let selection = try choose(name, paths)
      guard case .model(let model) = selection else { return "\(selection)" }
      return model.files.map(\.path).joined(separator: " ")
    } catch {
      return "\(error)"
    }
  }

  private static let many = [
    "README.md", "m-BF16.gguf", "m-IQ4_XS.gguf", "m-IQ3_XS.gguf", "m-Q4_K_M.gguf", "m-Q4_K_S.gguf",
    "m-Q8_0.gguf",
    "m.Q2_K.gguf", "mmproj-m-F16.gguf", "m.imatrix.gguf", "m-Q6_K-00001-of-00002.gguf",
    "m-Q6_K-00002-of-00002.gguf", "m-Q5_0-00002-of-00002.gguf", "config.json",
  ]

  @Test(arguments: [
    ("hf:a/b", "m-Q4_K_M.gguf"), ("hf:a/b:q8_0", "m-Q8_0.gguf"), ("hf:a/b:Q2_K", "m.Q2_K.gguf"),
    ("hf:a/b:BF16", "m-BF16.gguf"), ("hf:a/b:IQ4_XS", "m-IQ4_XS.gguf"),
    ("hf:a/b/m-Q4_K_S.gguf", "m-Q4_K_S.gguf"),
    ("hf:a/b:Q6_K", "m-Q6_K-00001-of-00002.gguf m-Q6_K-00002-of-00002.gguf"),
    (
      "hf:a/b/m-Q6_K-00002-of-00002.gguf", "m-Q6_K-00001-of-00002.gguf m-Q6_K-00002-of-00002.gguf"
    ),
  ])
  func found(name: String, path: String) { #expect(result(name, Self.many) == path) }

  @Test(arguments: [
    // No part of a name, and what is not read.
    ("hf:a/b:Q4_K", "no file has Q4_K"), ("hf:a/b:Q5_0", "m-Q8_0.gguf (0 MB)"),
    ("hf:a/b:IQ3_XS", "m-IQ3_XS.gguf (0 MB; in a quantisation that is not read)"),
    ("hf:a/b:Q5_0", "1 of 2 parts are there"), ("hf:a/b:F16", "a projector of images"),
    ("hf:a/b:Q5_0", "m-Q6_K-00001-of-00002.gguf (0 MB in 2 files)"),
    ("hf:a/b/m-Q5_0-00002-of-00002.gguf", "1 of 2 parts are there"),
    ("hf:a/b/mmproj-m-F16.gguf", "a projector"), ("hf:a/b/none.gguf", "m-Q4_K_M.gguf"),
  ])
  func notFound(name: String, problem: String) {
    let text = result(name, Self.many)
    #expect(text.contains(problem) && text.hasPrefix(name + ":"), "\(text)")
  }

  @Test func theUsualOrder() {
    #expect(result("hf:a/b", ["x-Q8_0.gguf", "x-Q4_0.gguf", "x-F16.gguf"]) == "x-Q4_0.gguf")
    #expect(result("hf:a/b", ["x-Q8_0.gguf", "x-F16.gguf"]) == "x-Q8_0.gguf")
    #expect(result("hf:a/b", ["x-q4_k_m.gguf", "x-q4_0.gguf"]) == "x-q4_k_m.gguf")
    #expect(result("hf:a/b", ["any.gguf", "mmproj.gguf"]) == "any.gguf", "the only one")
    #expect(result("hf:a/b", ["one.gguf", "two.gguf"]).contains("is not clear"))
    let several = result("hf:a/b", ["x/m-Q4_K_M.gguf", "y/m-Q4_K_M.gguf", "m-F16.gguf"])
    #expect(several.contains("several files") && several.contains("y/m-Q4_K_M.gguf"))
    #expect(!several.contains("F16"))
    #expect(result("hf:a/b:Q8_0", ["config.json"]).contains("no GGUF file"))
    #expect(result("hf:a/b", ["mmproj.gguf"]).contains("no GGUF file that is read"))
  }

  @Test func foldersHaveWhatIsRead() throws {
    let weights = ["model.safetensors", "pytorch_model.bin", "README.md", "onnx/model.onnx"]
    guard
      case .checkpoint(let files) = try choose(
        "hf:a/b",
        ["config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]
          + weights)
    else {
      Issue.record("no checkpoint")
      return
    }
    #expect(files.map(\.path) == ["config.json", "tokenizer.json", "tokenizer_config.json"])
    guard
      case .adapter(let adapter) = try choose(
        "hf:a/b", ["adapter_model.safetensors", "adapter_config.json", "tokenizer.json"])
    else {
      Issue.record("no adapter")
      return
    }
    #expect(adapter.map(\.path) == ["adapter_config.json", "adapter_model.safetensors"])
    for paths in [
      [], ["config.json", "model.safetensors"], ["x/config.json", "x/tokenizer.json"] + weights,
      ["config.json", "tokenizer.json", "pytorch_model.bin"],
    ] {
      #expect(throws: HubError.self) { try choose("hf:a/b", paths) }
    }
  }
}

@Suite struct HubListingTests {
  private static let digest = String(repeating: "0123456789abcdef", count: 4)

  @Test func files() throws {
    let files = try HubFile.page(
      Array(
        """
        [{"type": "directory", "path": "x", "size": 0, "oid": "1"},
         {"type": "file", "path": "x/a.json", "size": 7, "oid": "2"},
         {"type": "file", "path": "b.gguf", "size": 130, "oid": "3",
          "lfs": {"oid": "\(Self.digest)", "size": 9000000000, "pointerSize": 130}}]
        """.utf8))
    #expect(
      files == [
        HubFile(path: "x/a.json", byteCount: 7),
        HubFile(path: "b.gguf", byteCount: 9_000_000_000, sha256: Self.digest),
      ])
    #expect(files[0].name == "a.json")
  }

  @Test(arguments: [
    #"{}"#, "", "[", "[[[[", #"[{"type": "file"}]"#, #"[{"type": "file", "path": 1, "size": 1}]"#,
    #"[{"type": "file", "path": "../../a", "size": 1}]"#,
    #"[{"type": "file", "path": "/etc/passwd", "size": 1}]"#,
    #"[{"type": "file", "path": "a/../b", "size": 1}]"#,
    #"[{"type": "file", "path": "a\\..\\b", "size": 1}]"#,
    #"[{"type": "file", "path": "a\u0000b", "size": 1}]"#,
    #"[{"type": "file", "path": "a\u001b[2Jb", "size": 1}]"#,
    #"[{"type": "file", "path": "", "size": 1}]"#,
    #"[{"type": "file", "path": "a", "size": -1}]"#,
    #"[{"type": "file", "path": "a", "size": 1e30}]"#,
    #"[{"type": "file", "path": "a", "size": "1"}]"#,
    #"[{"type": "file", "path": "a", "size": 1, "lfs": {"size": 1, "oid": "../../x"}}]"#,
    #"[{"type": "file", "path": "a", "size": 1, "lfs": {"size": 1}}]"#,
  ])
  func hostile(text: String) {
    #expect {
      _ = try HubFile.page(Array(text.utf8))
    } throws: {
      if case .badAnswer? = $0 as? HubError { true } else { false }
    }
  }

  @Test(
    arguments: [
      (
        #"{"cardData": {"license": "apache-2.0"}, "createdAt": "2025-04-27T03:38:52.000Z"}"#,
        "apache-2.0", "2025-04-27"
      ),
      (
        #"{"tags": ["gguf", "license:mit"], "lastModified": "2024-01-02T00:00:00Z"}"#, "mit",
        "2024-01-02"
      ),
      (#"{"cardData": {"license": "other", "license_name": "qwen"}}"#, "qwen", nil),
      (#"{"cardData": {"license": "other"}}"#, "other", nil),
      (#"{"cardData": {"license": ["mit"]}, "createdAt": "yesterday", "sha": "../.."}"#, nil, nil),
      (#"{"cardData": {"license": "a\nid: b"}}"#, nil, nil), ("{}", nil, nil),
    ] as [(String, String?, String?)])
  func info(text: String, license: String?, released: String?) throws {
    let info = try HubModelInfo(Array(text.utf8))
    #expect(info.license == license)
    #expect(info.released?.description == released)
    #expect(info.commit == nil)
  }
}
