import Dispatch
import Foundation
import Kernels
import ModelFiles
import Routing
import Synchronization
import Tokenization
import Transformer

/// Turns texts into sentence embeddings. Texts that arrive while it works are taken together
/// next, so that many callers at once cost few passes.
package final class SentenceEncoder: Sendable {
  package struct Embedded: Sendable {
    /// Normalised to length 1. // (texts, dimension)
    package let vectors: [[Float]]
    /// Tokens that were read, the two around each text included.
    package let tokenCount: Int
  }

  private struct Job: Sendable {
    let texts: [String]
    let continuation: CheckedContinuation<Embedded, any Error>
  }

  package let id: String
  /// Tells these weights from any others: a router fits one encoder only.
  package let revision: String
  package let dimension: Int
  private let encoder: Encoder
  private let tokenizer: any Tokenizer
  private let maxTokens: Int
  private let queue = DispatchQueue(label: "thalamus.encoder")
  private let waiting = Mutex<[Job]>([])

  init(
    id: String, revision: String, encoder: Encoder, tokenizer: any Tokenizer, maxTokens: Int
  ) {
    self.id = id
    self.revision = revision
    self.encoder = encoder
    self.tokenizer = tokenizer
    self.maxTokens = maxTokens
    dimension = encoder.width
  }

  /// Embeds texts, in their order.
  package func embed(_ texts: [String]) async throws -> Embedded {
    try await withCheckedThrowingContinuation { continuation in
      waiting.withLock { $0.append(Job(texts: texts, continuation: continuation)) }
      queue.async { [self] in work() }
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

  /// Takes all that waits. A turn that finds nothing was served by an earlier one.
  private func work() {
    let jobs = waiting.withLock { jobs in
      defer { jobs = [] }
      return jobs
    }
    guard !jobs.isEmpty else { return }
    let tokens = jobs.map { job in job.texts.map(tokens(of:)) }
    let result = Result { try encoder.embed(tokens.flatMap(\.self)) }
    var start = 0
    for (job, tokens) in zip(jobs, tokens) {
      let range = start..<start + tokens.count
      start = range.upperBound
      job.continuation.resume(
        with: result.map { vectors in
          Embedded(
            vectors: Array(vectors[range]), tokenCount: tokens.reduce(0) { $0 + $1.count })
        })
    }
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
      return .success(
        SentenceEncoder(
          id: manifest.id, revision: try FileRevision.of(path), encoder: encoder,
          tokenizer: tokenizer, maxTokens: manifest.maxTokens))
    } catch {
      return .failure(.unloadable(expert: manifest.id, problem: "\(error)"))
    }
  }
}
