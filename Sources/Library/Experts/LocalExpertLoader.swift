import Dispatch
import Foundation
import Generation
import Kernels
import ModelFiles
import Synchronization
import Tokenization
import Transformer
import Vision

/// Makes local experts from their manifests. All share one set of compute threads, on which their
/// passes take turns. Experts on the same base share its model: it is loaded with the first of
/// them, be that the base itself or an adapter.
package final class LocalExpertLoader: Sendable {
  private let options: ComputeOptions
  private let pool: ComputePool
  private let queue = DispatchQueue(label: "thalamus.loading")
  /// The models that are resident, by the folder of their card.
  private let models = Mutex<[String: WeakModel]>([:])

  /// Does not keep a model that no expert uses.
  private struct WeakModel {
    weak var value: ResidentModel?
    /// What it was made by: another card is another model.
    let manifest: ExpertManifest
  }

  package init(_ options: ComputeOptions) throws {
    self.options = options
    pool = try ComputePool(threadCount: options.threadCount)
  }

  /// The threads, for other models that compute.
  package var computePool: ComputePool { pool }

  /// How models are computed, for a person.
  package var computeDescription: String {
    "compute threads: \(pool.threadCount) on \(Processors.current.allowed) processors, "
      + "kernels: \(InstructionSet.current.name)"
  }

  /// Reads weights and tokenizer, on a thread that may block.
  package func load(_ manifest: ExpertManifest) async throws(LibraryError) -> LocalExpert {
    let result: Result<LocalExpert, LibraryError> = await withCheckedContinuation { continuation in
      queue.async { [self] in
        continuation.resume(returning: loadNow(manifest))
      }
    }
    return try result.get()
  }

  /// One at a time, on the queue.
  private func loadNow(_ manifest: ExpertManifest) -> Result<LocalExpert, LibraryError> {
    do {
      guard manifest.endpoint == nil else {
        throw LibraryError.unloadable(
          expert: manifest.card.id, problem: "it is remote, and its weights are not here")
      }
      guard let addition = manifest.addition, let baseFolder = manifest.baseFolder else {
        return .success(try expert(manifest, on: model(manifest), adapter: nil))
      }
      let base = try ExpertManifest.load(folder: baseFolder)
      _ = try manifest.base(among: [base, manifest])
      if let path = base.neededFiles.first(where: { !FileManager.default.fileExists(atPath: $0) }) {
        throw LibraryError.missingFile(expert: manifest.card.id, path: path)
      }
      let model = try model(base)
      let path = manifest.folder + "/" + addition.path
      let adapter =
        switch addition.kind {
        case .adapter: Adapter(try model.adapter(path: path))
        case .mixture: try mixture(path: path, of: manifest, on: model)
        }
      return .success(try expert(manifest, on: model, adapter: adapter))
    } catch let error as LibraryError {
      return .failure(error)
    } catch {
      return .failure(.unloadable(expert: manifest.card.id, problem: "\(error)"))
    }
  }

  /// A mixture's adapters are read once, and shared with the experts that they are themselves.
  private func mixture(
    path: String, of manifest: ExpertManifest, on model: ResidentModel
  ) throws(AdapterError) -> Adapter {
    try Adapter(mixturePath: path, target: model.decoder.adapterTarget) {
      folder, entry throws(AdapterError) in
      guard
        let path = manifest.adapterPath(of: entry, in: folder, expert: manifest.neighbour)
      else {
        throw .unreadable(
          path: folder + "/mixture.json",
          reason: "\"\(entry)\" is neither a folder beside it nor an adapter on the same base")
      }
      return try model.adapter(path: path)
    }
  }

  private func expert(
    _ manifest: ExpertManifest, on model: ResidentModel, adapter: Adapter?
  ) throws -> LocalExpert {
    let layout = (try ChatLayout.named(in: manifest) ?? model.layout).thinking(as: manifest)
    guard model.join() else {
      throw LibraryError.unloadable(expert: manifest.card.id, problem: "its base is being ended")
    }
    return LocalExpert(
      card: manifest.card, layout: layout, model: model, adapter: adapter,
      threadCount: pool.threadCount)
  }

  /// The model of an expert that stands alone, loaded if it is not resident.
  private func model(_ manifest: ExpertManifest) throws -> ResidentModel {
    let folder = URL(filePath: manifest.folder).standardizedFileURL.path
    if let known = models.withLock({ $0[folder] }), known.manifest == manifest,
      let model = known.value, !model.isOver
    {
      return model
    }
    let source = try ModelSource(manifest)
    let tokenizer = try source.tokenizer()
    let layout = try ChatLayout.of(manifest, source: source).thinking(as: manifest)
    var decoderOptions = decoderOptions(of: manifest, contextLength: manifest.card.contextLength)
    let marked = Set(
      (0..<Int32(clamping: tokenizer.vocabularyCount)).lazy.filter(tokenizer.isSpecial))
    // None: the files don't say which tokens are control tokens, and a gate that asks is refused.
    if !marked.isEmpty { decoderOptions.markedTokens = marked }
    let decoder = try source.decoder(pool: pool, options: decoderOptions)
    var schedulerOptions = SchedulerOptions()
    schedulerOptions.waitingLimit = options.waitingLimit
    schedulerOptions.runningLimit = options.runningLimit
    schedulerOptions.draftTokens = options.draftTokens
    let draft = try draft(for: decoder, tokenizer, of: manifest)
    let images = try images(for: decoder, tokenizer, of: manifest)
    let model = ResidentModel(
      tokenizer: tokenizer, layout: layout, decoder: decoder, draft: draft,
      scheduler: Scheduler(
        decoder: decoder, tokenizer: tokenizer, draft: draft, options: schedulerOptions),
      images: images)
    models.withLock { $0[folder] = WeakModel(value: model, manifest: manifest) }
    return model
  }

  /// What reads images for an expert's model; nil where its card says that it reads none.
  private func images(
    for decoder: Decoder, _ tokenizer: any Tokenizer, of manifest: ExpertManifest
  ) throws -> ImageReader? {
    guard manifest.card.readsImages else { return nil }
    func unloadable(_ problem: String) -> LibraryError {
      .unloadable(expert: manifest.card.id, problem: problem)
    }
    let limits = ImageLimits(pixels: options.imagePixels, rows: options.imageTokens)
    let encoder =
      if let path = manifest.projectorPath {
        try ImageEncoder(
          file: GGUFFile(path: path), pool: pool, precision: options.precision, limits: limits)
      } else {
        try ImageEncoder(
          checkpoint: manifest.checkpointFolder ?? manifest.folder, pool: pool,
          precision: options.precision, limits: limits)
      }
    let width = decoder.configuration.imageRowWidth
    guard encoder.width == width else {
      throw unloadable(
        "its projector makes rows of \(encoder.width) numbers, and the model's have \(width)")
    }
    guard !encoder.rowsLieInGrid || decoder.configuration.rotaryAxes != nil else {
      throw unloadable("its projector's rows lie on a plane, which the model knows nothing of")
    }
    return ImageReader(encoder, tokenizer: tokenizer)
  }

  /// How the model of an expert that stands alone is run, by its card and the configuration.
  private func decoderOptions(
    of manifest: ExpertManifest, contextLength: Int?
  ) -> DecoderOptions {
    var decoderOptions = DecoderOptions(precision: options.precision)
    decoderOptions.contextLength = contextLength
    decoderOptions.keyValueLimitBytes = options.keyValueBytes
    // Else nil, for what goes with the precision: a card's f16 takes the configuration's int8 back.
    if (manifest.keyValueType ?? options.keyValueType) == .int8 {
      decoderOptions.keyValueType = .int8
    }
    decoderOptions.gate = manifest.gating?.gate
    decoderOptions.feedForwardSlices = manifest.gating?.slices
    return decoderOptions
  }

  /// The model that guesses ahead for an expert's, with memory of its own; nil where its card names none, and where
  /// nothing is to be guessed.
  private func draft(
    for decoder: Decoder, _ tokenizer: any Tokenizer, of manifest: ExpertManifest
  ) throws -> Decoder? {
    guard let id = manifest.draft, options.draftTokens > 0 else { return nil }
    func unloadable(_ problem: String) -> LibraryError {
      .unloadable(expert: manifest.card.id, problem: problem)
    }
    guard let folder = manifest.neighbour(id) else {
      throw unloadable("its draft '\(id)' can't be read")
    }
    _ = try manifest.draft(among: [folder])
    if let path = folder.neededFiles.first(where: { !FileManager.default.fileExists(atPath: $0) }) {
      throw LibraryError.missingFile(expert: manifest.card.id, path: path)
    }
    guard decoder.gates.isEmpty, !decoder.isRecurrent else {
      throw unloadable(
        "nothing can be guessed ahead for a model with "
          + (decoder.isRecurrent ? "layers that keep a state" : "gates")
          + "; take 'draft' out of its card")
    }
    let source = try ModelSource(folder)
    if let problem = VocabularyMatch.problem(try source.tokenizer(), beside: tokenizer) {
      throw unloadable("its draft '\(id)' has another vocabulary: \(problem)")
    }
    let draft = try source.decoder(
      pool: pool, options: decoderOptions(of: folder, contextLength: decoder.contextLength))
    guard !draft.isRecurrent else {
      throw unloadable(
        "its draft '\(id)' has layers that keep a state, which can't be taken back where a guess was wrong"
      )
    }
    return draft
  }
}
