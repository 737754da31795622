import Dispatch
import Foundation
import Kernels
import ModelFiles
import Routing
import Synchronization
import Tokenization
import Transformer

/// Turns texts into sentence embeddings. Texts that arrive while it works are taken together
/// next, so that many callers at once cost few passes; and a pass takes texts of all callers in
/// turn, so that one with thousands of them does not hold up a decision that needs one.
package final class SentenceEncoder: Sendable {
  package struct Embedded: Sendable {
    /// Normalised to length 1. // (texts, dimension)
    package let vectors: [[Float]]
    /// Tokens that were read, the two around each text included.
    package let tokenCount: Int
  }

  package let id: String
  /// Tells these weights from any others: a router fits one encoder only.
  package let revision: String
  package let dimension: Int
  /// Layers there are.
  package let depth: Int
  /// Layers that kNN and ridge look through, unless they were trained with others.
  package let routerDepth: Int
  private let encoder: Encoder
  private let tokenizer: any Tokenizer
  private let maxTokens: Int
  private let queue = DispatchQueue(label: "thalamus.encoder")
  /// Callers whose texts are not all begun, in the order in which the next pass takes theirs.
  private let waiting = Mutex<[EmbeddingJob]>([])
  private let cache = EmbeddingCache()

  init(
    id: String, revision: String, encoder: Encoder, tokenizer: any Tokenizer, maxTokens: Int,
    routerDepth: Int?
  ) {
    self.id = id
    self.revision = revision
    self.encoder = encoder
    self.tokenizer = tokenizer
    self.maxTokens = maxTokens
    dimension = encoder.width
    depth = encoder.configuration.layerCount
    self.routerDepth = routerDepth ?? depth
  }

  /// Embeds texts, in their order. A text that comes alone, as prompts do, may be known from before.
  /// Where the calling task is cancelled, texts that are not yet begun never are.
  ///
  /// - Parameter depth: Layers that the texts go through, from the first; nil for all.
  package func embed(_ texts: [String], depth: Int? = nil) async throws -> Embedded {
    guard !texts.isEmpty else { return Embedded(vectors: [], tokenCount: 0) }
    let depth = depth ?? self.depth
    guard texts.count == 1 else { return try await compute(texts, depth: depth) }
    if let known = cache.find(texts[0], depth: depth) { return known }
    let embedded: Embedded
    if let now = try computeIfFree(texts[0], depth: depth) {
      embedded = now
    } else {
      embedded = try await compute(texts, depth: depth)
    }
    cache.keep(embedded, of: texts[0], depth: depth)
    return embedded
  }

  /// On the caller's own thread, which spares two others being woken; nil where others wait or are served, or
  /// where a model computes: then the thread would wait for it. One text takes some milliseconds.
  private func computeIfFree(_ text: String, depth: Int) throws -> Embedded? {
    guard waiting.withLock({ $0.isEmpty }) else { return nil }
    let tokens = tokens(of: text)
    return try encoder.embedIfFree(tokens, depth: depth)
      .map { Embedded(vectors: [$0], tokenCount: tokens.count) }
  }

  private func compute(_ texts: [String], depth: Int) async throws -> Embedded {
    let isCancelled = CancellationFlag()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let job = EmbeddingJob(
          texts: texts, depth: depth, isCancelled: isCancelled, continuation: continuation)
        waiting.withLock { $0.append(job) }
        queue.async { [self] in work() }
      }
    } onCancel: {
      isCancelled.set()
    }
  }

  /// Milliseconds that one text of so many tokens takes, tokenising left out; for benchmarks.
  package func measure(tokenCount: Int) throws -> Double {
    let word = tokenizer.encode("model", addSpecial: true, parseSpecial: false)
    let middle = word.count > 2 ? word[1] : 0
    let ids =
      [word.first ?? 0] + Array(repeating: middle, count: max(0, tokenCount - 2))
      + [word.last ?? 0]
    return try queue.sync {
      let start = ContinuousClock.now
      _ = try encoder.embed([ids])
      let elapsed = start.duration(to: .now).components
      return Double(elapsed.seconds) * 1e3 + Double(elapsed.attoseconds) / 1e15
    }
  }

  /// A text in a pass, and whose it is.
  private struct Taken {
    let job: EmbeddingJob
    let tokens: [Int32]
  }

  /// Works until nothing waits. A turn that finds nothing was served by an earlier one.
  private func work() {
    while true {
      let taken = takePass()
      guard let depth = taken.first?.job.depth else { return }
      switch Result(catching: { try encoder.embed(taken.map(\.tokens), depth: depth) }) {
      case .success(let vectors):
        for (text, vector) in zip(taken, vectors) {
          text.job.finish(vector, tokenCount: text.tokens.count)
        }
      case .failure(let error): fail(taken, error)
      }
    }
  }

  /// As many texts as one pass holds, one of each caller in turn, all of the first one's depth.
  private func takePass() -> [Taken] {
    var taken: [Taken] = []
    var room = encoder.maximumRows
    while let job = nextJob(depth: taken.first?.job.depth) {
      guard let tokens = job.take(atMost: room, tokens: tokens(of:)) else {
        // It is the first of the next pass; but whoever wants another depth could not be in this one.
        waiting.withLock { waiting in
          let others = waiting.contains { $0.depth != job.depth }
          waiting.insert(job, at: others ? waiting.count : 0)
        }
        break
      }
      taken.append(Taken(job: job, tokens: tokens))
      room -= tokens.count
      if job.hasMore { waiting.withLock { $0.append(job) } }
    }
    return taken
  }

  /// The caller whose turn it is, among those of a depth if one is given. Callers that left are let
  /// go.
  private func nextJob(depth: Int?) -> EmbeddingJob? {
    func isWanted(_ job: EmbeddingJob) -> Bool { depth.map { $0 == job.depth } ?? true }
    while let job = waiting.withLock({ waiting in
      waiting.firstIndex(where: isWanted).map { waiting.remove(at: $0) }
    }) {
      guard job.isCancelled.isSet, job.isBetweenPasses else { return job }
      job.fail(CancellationError())
    }
    return nil
  }

  private func fail(_ taken: [Taken], _ error: any Error) {
    let jobs = Dictionary(taken.map { (ObjectIdentifier($0.job), $0.job) }) { first, _ in first }
    waiting.withLock { waiting in waiting.removeAll { jobs[ObjectIdentifier($0)] != nil } }
    for job in jobs.values { job.fail(error) }
  }

  /// The tokens of a text; the tokenizer cuts at the encoder's length.
  private func tokens(of text: String) -> [Int32] {
    // A token is seldom longer than a few bytes; a long text's rest need not be read at all.
    let bound = maxTokens * 64
    let text =
      text.utf8.count > bound ? String(decoding: text.utf8.prefix(bound), as: UTF8.self) : text
    return tokenizer.encode(text, addSpecial: true, parseSpecial: false)
  }
}

extension SentenceEncoder {
  /// Loads an encoder from its folder, on a thread that may block.
  ///
  /// - Parameter precision: `.float` is the slow truth, `.quantized` what serves.
  package static func load(
    folder: String, pool: ComputePool, precision: WeightMatrix.Precision = .quantized
  ) async throws(LibraryError) -> SentenceEncoder {
    let manifest = try EncoderManifest.load(folder: folder)
    let result: Result<SentenceEncoder, LibraryError> = await withCheckedContinuation { caller in
      DispatchQueue.global().async {
        caller.resume(
          returning: loadNow(manifest, folder: folder, pool: pool, precision: precision))
      }
    }
    return try result.get()
  }

  private static func loadNow(
    _ manifest: EncoderManifest, folder: String, pool: ComputePool,
    precision: WeightMatrix.Precision
  ) -> Result<SentenceEncoder, LibraryError> {
    for name in [manifest.weights, manifest.vocabulary, manifest.configuration] {
      let path = folder + "/" + name
      guard FileManager.default.fileExists(atPath: path) else {
        return .failure(.missingFile(expert: manifest.id, path: path))
      }
    }
    do {
      let path = folder + "/" + manifest.weights
      let encoder = try Encoder(
        configuration: EncoderConfiguration(
          json: try Data(contentsOf: URL(filePath: folder + "/" + manifest.configuration))),
        tensors: try SafetensorsFile(path: path), pool: pool, precision: precision)
      let tokenizer = try WordPieceTokenizer(
        vocabularyPath: folder + "/" + manifest.vocabulary, maximumTokens: manifest.maxTokens)
      // A text that the model can't read would take all others of its pass with it.
      let limits = encoder.configuration
      let problem: String? =
        if manifest.maxTokens > limits.maximumPositions {
          "max_tokens is \(manifest.maxTokens); the model has \(limits.maximumPositions) positions"
        } else if tokenizer.vocabularyCount > limits.vocabularySize {
          "\(tokenizer.vocabularyCount) tokens in the vocabulary; the model has \(limits.vocabularySize)"
        } else if let depth = manifest.routerLayers, !(1...limits.layerCount).contains(depth) {
          "router_layers is \(depth); the model has \(limits.layerCount) layers"
        } else {
          nil
        }
      if let problem { return .failure(.unloadable(expert: manifest.id, problem: problem)) }
      return .success(
        SentenceEncoder(
          id: manifest.id, revision: try FileRevision.of(path), encoder: encoder,
          tokenizer: tokenizer, maxTokens: manifest.maxTokens, routerDepth: manifest.routerLayers))
    } catch {
      return .failure(.unloadable(expert: manifest.id, problem: "\(error)"))
    }
  }
}
