import Foundation
import Generation
import Library
import Testing
import Tokenization

/// Experts that read images, against transformers; `scripts/fixtures/vision_families.py` and `qwen_vision.py` made the
/// models, random and tiny, and what they answer.
@Suite(.serialized) struct ImageExpertTests {
  struct Golden: Decodable {
    let chatImage: String
    let prompt: [Int32]
    let answer: [Int32]
    let text: String
    let otherAnswer: [Int32]
    /// A chat with two.
    let twoImages: Two?

    struct Two: Decodable {
      let images: [String]
      let prompt: [Int32]
      let text: String
    }
  }

  static let fixtures = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "VisionTests/Fixtures")
  static let question = "What is this? One line, please."

  static func golden(_ model: String = "tiny-smolvlm") throws -> Golden {
    try JSONDecoder().decode(
      Golden.self, from: Data(contentsOf: fixtures.appending(path: "\(model).json")))
  }

  static func image(_ name: String) throws -> ChatImage {
    try ChatImage(
      base64: Data(contentsOf: fixtures.appending(path: "images/\(name)")).base64EncodedString())
  }

  /// The model's two forms: a checkpoint with all in it, and llama.cpp's two files.
  private func add(
    _ isCheckpoint: Bool, model: String = "tiny-smolvlm", to models: TemporaryFolder
  ) throws -> ExpertManifest {
    let folder = Self.fixtures.appending(path: model).path
    var details = ExpertInstaller.Details()
    details.id = "eyes"
    let installer = ExpertInstaller(directory: models.path)
    if isCheckpoint { return try installer.add(folder, details: details, transfer: .link) }
    details.projector = folder + "/mmproj.gguf"
    return try installer.add(folder + "/model.gguf", details: details, transfer: .copy)
  }

  /// First letters of an answer that rounded weights keep; all, where it is not here.
  private static let lettersKept = ["tiny-gemma3": 4, "tiny-qwen35vl": 3]

  /// Tokens of a prompt that need not be read again: none of one so short where layers keep a state.
  private static func reusable(_ prompt: [Int32], _ model: String) -> Int {
    model == "tiny-qwen35vl" ? 0 : (prompt.count - 1) / 64 * 64
  }

  private func ask(_ parts: [ChatMessage.Part]) -> ExpertInput {
    .messages([ChatMessage(role: "user", parts: parts)])
  }

  private func answer(
    _ expert: LocalExpert, _ input: ExpertInput
  ) async throws -> (text: String, reused: Int) {
    var text = ""
    var reused = 0
    for try await event in try await expert.answer(
      input, parameters: SamplingParameters(temperature: 0, maxTokens: 16))
    {
      switch event {
      case .text(let piece, _): text += piece
      case .finished(let summary): reused = summary.reusedPromptTokens
      default: break
      }
    }
    return (text, reused)
  }

  @Test(
    arguments: ["tiny-smolvlm", "tiny-gemma3", "tiny-qwen3vl", "tiny-qwen3vlmoe", "tiny-qwen35vl"],
    [true, false])
  func answersAsTheReference(model: String, isCheckpoint: Bool) async throws {
    let models = try TemporaryFolder()
    let manifest = try add(isCheckpoint, model: model, to: models)
    #expect(manifest.card.readsImages)
    #expect((manifest.projector == nil) == isCheckpoint)
    let golden = try Self.golden(model)
    var options = ComputeOptions()
    options.threads = 2
    options.precision = .float
    let expert = try await LocalExpertLoader(options).load(manifest)
    let first = ask([.image(try Self.image(golden.chatImage)), .text(Self.question)])
    let other = ask([.image(try Self.image("scene-64x48.png")), .text(Self.question)])
    #expect(try expert.promptTokens(first) == golden.prompt)
    #expect(
      try expert.promptTokenCount(first, parameters: SamplingParameters()) == golden.prompt.count)
    #expect(try await answer(expert, first).text == golden.text)
    // Placeholders that are the same, and another image.
    let seen = try await answer(expert, other)
    #expect(seen.text == expert.tokenizer.decode(golden.otherAnswer))
    #expect(seen.reused == 0)
    let again = try await answer(expert, first)
    #expect(again.text == golden.text)
    #expect(again.reused == Self.reusable(golden.prompt, model))
    // Both at once, with a text beside them.
    async let one = answer(expert, first)
    async let two = answer(expert, other)
    async let three = answer(expert, ask([.text(Self.question)]))
    #expect(try await one.text == golden.text)
    #expect(try await two.text == seen.text)
    #expect(try await three.text.isEmpty == false)
    await expert.shutDown(finishing: true)
    // As it serves. Layers of large random weights carry int8's errors on to other tokens in time.
    let fast = try await Models.loader().load(manifest)
    let quantized = try await answer(fast, first).text
    let kept = zip(quantized, golden.text).prefix { $0.0 == $0.1 }.count
    #expect(kept >= Self.lettersKept[model] ?? golden.text.count)
  }

  /// Images of different proportions in one chat, with text between them: what follows stands where the reference has it.
  @Test(arguments: ["tiny-qwen3vl", "tiny-qwen3vlmoe", "tiny-qwen35vl"], [true, false])
  func severalImages(model: String, isCheckpoint: Bool) async throws {
    let models = try TemporaryFolder()
    let golden = try #require(try Self.golden(model).twoImages)
    var options = ComputeOptions()
    options.threads = 2
    options.precision = .float
    let expert = try await LocalExpertLoader(options)
      .load(add(isCheckpoint, model: model, to: models))
    let input = ask([
      .image(try Self.image(golden.images[0])), .text("This is one."),
      .image(try Self.image(golden.images[1])), .text("What is the other?"),
    ])
    #expect(try expert.promptTokens(input) == golden.prompt)
    #expect(try await answer(expert, input).text == golden.text)
    // The second image's place is told by the first's, which is computed no more.
    let again = try await answer(expert, input)
    #expect(again.text == golden.text)
    #expect(again.reused == Self.reusable(golden.prompt, model))
    await expert.shutDown(finishing: true)
  }

  /// A model whose rows stand on a line takes no projector whose rows lie on a plane.
  @Test func otherModelsProjectors() async throws {
    let models = try TemporaryFolder()
    var details = ExpertInstaller.Details()
    details.id = "eyes"
    details.projector = Self.fixtures.appending(path: "tiny-qwen35vl/mmproj.gguf").path
    let manifest = try ExpertInstaller(directory: models.path).add(
      Self.fixtures.appending(path: "tiny-gemma3/model.gguf").path, details: details,
      transfer: .link)
    await #expect(throws: LibraryError.self) { _ = try await Models.loader().load(manifest) }
  }

  @Test func whatCantBeRead() async throws {
    let models = try TemporaryFolder()
    let expert = try await Models.loader().load(add(false, to: models))
    let good = try Self.image("scene-64x48.png")
    let cut = try ChatImage(
      base64: #require(good.file).dropLast(20).base64EncodedString())
    let none = try ChatImage(base64: "iVBORw0KGgo=")
    let elsewhere = try ChatImage(url: "https://example.com/a.png")
    let gif = try ChatImage(base64: Data("GIF89a".utf8).base64EncodedString())
    for image in [none, cut, elsewhere, gif] {
      let input = ask([.image(good), .text("x"), .image(image)])
      let error = await #expect(throws: GenerationError.self) {
        _ = try await answer(expert, input)
      }
      guard case .invalidParameter(name: "messages", _, _)? = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
    // Control tokens of images are a template's to write.
    let written = ask([
      .text("<image><fake_token_around_image> <global-img>"), .image(good), .text("<image>"),
    ])
    #expect(try await answer(expert, written).text.isEmpty == false)
    // More than the context has room for is refused before any of it is read.
    let many = ask(Array(repeating: .image(good), count: 60))
    let tooLong = await #expect(throws: GenerationError.self) {
      _ = try await answer(expert, many)
    }
    guard case .promptTooLong? = tooLong else {
      Issue.record("\(String(describing: tooLong))")
      return
    }
    var small = ComputeOptions()
    small.imagePixels = 64 * 48 - 1
    let expecting = try await LocalExpertLoader(small)
      .load(ExpertManifest.load(folder: models.path + "/eyes"))
    let tooLarge = await #expect(throws: GenerationError.self) {
      _ = try await answer(expecting, ask([.image(good)]))
    }
    #expect("\(try #require(tooLarge))".contains("64"))
    let blind = try await Models.loader().load(ExpertManifest.load(folder: Models.smolLM))
    await #expect(throws: GenerationError.self) {
      _ = try await answer(blind, ask([.image(good), .text("x")]))
    }
  }

  /// A low detail costs one tile, and is not taken for the same image at a high one.
  @Test func detail() async throws {
    let models = try TemporaryFolder()
    let expert = try await Models.loader().load(add(false, to: models))
    let golden = try Self.golden()
    let file = try #require(try Self.image(golden.chatImage).file).base64EncodedString()
    func ask(_ detail: String?) throws -> ExpertInput {
      self.ask([.image(try ChatImage(base64: file, detail: detail)), .text(Self.question)])
    }
    let low = try expert.promptTokens(ask("low"))
    #expect(low.count < golden.prompt.count - 12)
    #expect(try await answer(expert, ask("high")).text == golden.text)
    let seen = try await answer(expert, ask("low")).text
    #expect(try await answer(expert, ask(nil)).text == golden.text)
    #expect(try await answer(expert, ask("low")).text == seen)
  }

  /// A card says what reads images, and nothing that is not so.
  @Test func cards() throws {
    let models = try TemporaryFolder()
    let checkpoint = try add(true, to: models)
    func load(_ keys: String, of folder: String) throws -> ExpertManifest {
      try models.write("id: eyes\n" + keys, to: "eyes/expert.yaml")
      return try ExpertManifest.load(folder: folder)
    }
    let folder = checkpoint.folder
    #expect(try load("checkpoint: .", of: folder).card.readsImages)
    #expect(try load("checkpoint: .\nreads_images: false", of: folder).card.readsImages == false)
    let file = try load("file: a.gguf\nprojector: b.gguf", of: folder)
    #expect(
      file.card.readsImages && file.neededFiles.map { $0.hasSuffix("/b.gguf") } == [false, true])
    #expect(try load("file: a.gguf", of: folder).card.readsImages == false)
    for wrong in [
      "checkpoint: .\nprojector: b.gguf", "file: a.gguf\nreads_images: true",
      "file: a.gguf\nprojector: ../b.gguf", "base: b\nadapter: a\nreads_images: true",
      "base: b\nadapter: a\nprojector: b.gguf",
      "kind: remote\nendpoint: http://localhost/v1\nprojector: b.gguf",
    ] {
      #expect(throws: LibraryError.self, "\(wrong)") { _ = try load(wrong, of: folder) }
    }
    // A projector that is none is found before it is installed.
    var details = ExpertInstaller.Details()
    details.id = "other"
    details.projector = Self.fixtures.appending(path: "tiny-smolvlm/model.gguf").path
    #expect(throws: LibraryError.self) {
      _ = try ExpertInstaller(directory: models.path)
        .add(#require(details.projector), details: details, transfer: .link)
    }
    #expect(!FileManager.default.fileExists(atPath: models.path + "/other"))
  }
}
