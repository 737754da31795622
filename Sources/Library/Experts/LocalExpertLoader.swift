import Dispatch
import Generation
import ModelFiles
import Synchronization
import Tokenization
import Transformer

/// Makes local experts from their manifests. All share one set of compute threads, on which their
/// passes take turns.
package final class LocalExpertLoader: Sendable {
  private let options: ComputeOptions
  private let pool: ComputePool
  private let queue = DispatchQueue(label: "thalamus.loading")

  package init(_ options: ComputeOptions) throws {
    self.options = options
    pool = try ComputePool(threadCount: options.threadCount)
  }

  /// The threads, for other models that compute.
  package var computePool: ComputePool { pool }

  /// Reads weights and tokenizer, on a thread that may block.
  package func load(_ manifest: ExpertManifest) async throws(LibraryError) -> LocalExpert {
    let result: Result<LocalExpert, LibraryError> = await withCheckedContinuation { continuation in
      queue.async { [self] in
        continuation.resume(returning: loadNow(manifest))
      }
    }
    return try result.get()
  }

  private func loadNow(_ manifest: ExpertManifest) -> Result<LocalExpert, LibraryError> {
    do {
      let file = try GGUFFile(path: manifest.modelPath)
      let tokenizer = try makeTokenizer(from: file)
      let layout = try ChatLayout.of(manifest, file: file)
      var decoderOptions = DecoderOptions(precision: options.precision)
      decoderOptions.contextLength = manifest.card.contextLength
      decoderOptions.keyValueLimitBytes = options.keyValueBytes
      let decoder = try Decoder(file: file, pool: pool, options: decoderOptions)
      var schedulerOptions = SchedulerOptions()
      schedulerOptions.waitingLimit = options.waitingLimit
      schedulerOptions.runningLimit = options.runningLimit
      let scheduler = Scheduler(
        decoder: decoder, tokenizer: tokenizer, options: schedulerOptions)
      return .success(
        LocalExpert(
          card: manifest.card, tokenizer: tokenizer, layout: layout, scheduler: scheduler,
          decoder: decoder, threadCount: pool.threadCount))
    } catch {
      return .failure(.unloadable(expert: manifest.card.id, problem: "\(error)"))
    }
  }
}
