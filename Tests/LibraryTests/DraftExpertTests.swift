import Foundation
import Generation
import Library
import Testing
import Tokenization

/// Experts for which another one guesses ahead: the real models.
@Suite(.serialized) struct DraftExpertTests {
  /// SmolLM2 with a draft.
  private func folder(draft: String) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try folder.write("id: large\nfile: w.gguf\ndraft: small", to: "large/expert.yaml")
    try folder.write("id: small\nfile: w.gguf", to: "small/expert.yaml")
    for (id, model) in [("large", Models.smolLM), ("small", draft)] {
      try FileManager.default.createSymbolicLink(
        atPath: folder.path + "/\(id)/w.gguf",
        withDestinationPath: ExpertManifest.load(folder: model).modelPath)
    }
    return folder
  }

  private func text(_ stream: GenerationStream) async throws -> (String, GenerationSummary?) {
    var text = ""
    var summary: GenerationSummary?
    for try await event in stream {
      if case .text(let piece, _) = event { text += piece }
      if case .finished(let last) = event { summary = last }
    }
    return (text, summary)
  }

  @Test func anExpertWithADraftSaysTheSame() async throws {
    let folder = try folder(draft: Models.smolLM)
    let loader = try Models.loader()
    let drafted = try await loader.load(ExpertManifest.load(folder: folder.path + "/large"))
    let plain = try await loader.load(ExpertManifest.load(folder: folder.path + "/small"))
    #expect(drafted.residentBytes > plain.residentBytes * 3 / 2)
    let question = ExpertInput.messages([
      .init(role: "user", content: "Name three colours of flowers.")
    ])
    for temperature: Float in [0, 0.7] {
      var parameters = SamplingParameters(maxTokens: 80)
      parameters.temperature = temperature
      parameters.seed = 3
      let (guessed, summary) = try await text(drafted.answer(question, parameters: parameters))
      #expect(guessed == (try await text(plain.answer(question, parameters: parameters)).0))
      #expect(summary?.completionTokens ?? 0 > 3)
    }
    await drafted.shutDown(finishing: true)
    await plain.shutDown(finishing: true)
  }

  @Test func aDraftOfAnotherVocabularyIsTold() async throws {
    let folder = try folder(draft: Models.gemma)
    await #expect {
      _ = try await Models.loader().load(ExpertManifest.load(folder: folder.path + "/large"))
    } throws: { error in
      guard case .unloadable("large", let problem)? = error as? LibraryError else { return false }
      return problem.contains(
        "its draft 'small' has another vocabulary: 262144 tokens and not 49152")
    }
  }

  /// Without guesses there is nothing to load.
  @Test func noDraftIsLoadedWhereNothingIsGuessed() async throws {
    let folder = try folder(draft: Models.gemma)
    var options = ComputeOptions()
    options.draftTokens = 0
    options.keyValueBytes = 16 << 20
    let expert = try await LocalExpertLoader(options).load(
      ExpertManifest.load(folder: folder.path + "/large"))
    #expect(expert.residentBytes < 200 << 20)
    await expert.shutDown(finishing: true)
  }
}
