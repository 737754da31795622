import Dispatch
import Foundation
import Kernels
import Routing
import Synchronization
import Tokenization
import Vision

/// What reads images for a model: its encoder, with what it made of the last ones.
///
/// A chat brings its images with every turn, and each costs seconds: they are kept while there is room.
package final class ImageReader: Sendable {
  private let encoder: ImageEncoder
  /// The encoder blocks its caller, and takes one image after the other.
  private let queue = DispatchQueue(label: "thalamus.images")
  private let kept = Mutex(Kept())

  /// The last images that were read, the latest at the end.
  private struct Kept {
    var images: [(identity: String, rows: FloatBuffer)] = []

    mutating func find(_ identity: String) -> FloatBuffer? {
      guard let index = images.firstIndex(where: { $0.identity == identity }) else { return nil }
      let found = images.remove(at: index)
      images.append(found)
      return found.rows
    }

    mutating func keep(_ rows: FloatBuffer, of identity: String) {
      images.append((identity, rows))
      var bytes = images.reduce(0) { $0 + $1.rows.byteCount }
      while bytes > ImageReader.keptBytes, let first = images.first {
        bytes -= first.rows.byteCount
        images.removeFirst()
      }
    }
  }

  /// Some dozen images of a small model.
  private static let keptBytes = 64 << 20

  /// - Parameter tokenizer: The model's, which may have a token for a row of an image.
  package init(_ encoder: ImageEncoder, tokenizer: any Tokenizer) {
    self.encoder = encoder
    let tokens = tokenizer.encode(encoder.rowToken, addSpecial: false, parseSpecial: true)
    rowToken = tokens.count == 1 ? tokens[0] : 0
  }

  /// What stands for a row of an image among a prompt's tokens. The row takes its place, so that any would do.
  let rowToken: Int32

  /// What the model's chat template writes for an image.
  var placeholder: String { encoder.placeholder }

  /// Whether each row of an image is to see all of them.
  var rowsSeeAll: Bool { encoder.rowsSeeAll }

  /// Bytes that it takes.
  package var residentBytes: Int {
    encoder.byteCount + kept.withLock { $0.images.reduce(0) { $0 + $1.rows.byteCount } }
  }

  /// An image of a message that has been looked at, but not read.
  package struct Image: Sendable {
    let file: [UInt8]
    /// Whether it is seen at one glance, and not tile by tile as well.
    let asWhole: Bool
    /// What stands for it in the prompt.
    package let layout: ImageLayout
    /// Equal for equal files that are looked at alike.
    package var identity: String { SHA256.hex(of: Data(file)) + (asWhole ? " as a whole" : "") }
  }

  /// Looks at an image's header; nil for one that is for endpoints alone. Who asks for a `low` detail gets it as a whole.
  package func image(_ image: ChatImage) throws(ImageError) -> Image? {
    guard !image.isForEndpoints, let file = image.file.map({ [UInt8]($0) }) else { return nil }
    let asWhole = image.detail == "low"
    return Image(
      file: file, asWhole: asWhole, layout: try encoder.layout(of: file, asWhole: asWhole))
  }

  /// Reads an image. // (layout.rowCount, width)
  ///
  /// - Parameter identity: The image's, which takes a pass over its file.
  package func rows(of image: Image, identity: String) async throws -> FloatBuffer {
    if let known = kept.withLock({ $0.find(identity) }) { return known }
    let isCancelled = CancellationFlag()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        queue.async { [self] in
          continuation.resume(
            with: Result {
              // Somebody else may have brought it.
              if let known = kept.withLock({ $0.find(identity) }) { return known }
              let encoded = try encoder.encode(image.file, asWhole: image.asWhole) {
                isCancelled.isSet
              }
              let rows = try FloatBuffer(rows: encoded.layout.rowCount, width: encoded.width)
              encoded.rows.withUnsafeBufferPointer { source in
                guard let base = source.baseAddress else { return }
                rows.pointer.update(from: base, count: rows.count)
              }
              kept.withLock { $0.keep(rows, of: identity) }
              return rows
            })
        }
      }
    } onCancel: {
      isCancelled.set()
    }
  }
}
