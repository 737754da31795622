import Generation
import Kernels
import Tokenization
import Transformer
import Vision

/// The images of a chat, and their places in its prompt.
struct ImagePrompt {
  private let reader: ImageReader
  private let images: [ImageReader.Image]
  private var places: [Place] = []

  /// Looks at the images of messages, in order. Throws for one that is none, or that nobody here goes to.
  init(_ messages: [ChatMessage], for reader: ImageReader) throws(GenerationError) {
    var images: [ImageReader.Image] = []
    for placed in messages.flatMap(\.images) {
      let found: ImageReader.Image?
      do throws(ImageError) {
        found = try reader.image(placed.image)
      } catch {
        throw Self.refusal(of: "\(error)")
      }
      guard let found else { throw Self.refusal(of: LocalExpert.leavesToEndpoints) }
      images.append(found)
    }
    self.images = images
    self.reader = reader
  }

  static func refusal(of problem: String) -> GenerationError {
    .invalidParameter(name: "messages", value: problem, expected: "images that can be read")
  }

  /// Where rows of an image stand among the tokens.
  private struct Place {
    let image: Int
    let rows: Range<Int>
    let position: Int
  }

  /// The tokens of a template's text, with what stands for each image where the template put its placeholder.
  ///
  /// - Parameter encode: Gives the tokens of a piece of text, of which the first is the prompt's beginning.
  mutating func tokens(
    of text: String, encode: (_ text: String, _ isFirst: Bool) -> [Int32]
  ) throws(GenerationError) -> [Int32] {
    let parts = text.components(separatedBy: reader.placeholder)
    guard parts.count == images.count + 1 else {
      throw Self.refusal(
        of: "\(images.count) images, of which the model's chat template shows \(parts.count - 1)")
    }
    var tokens: [Int32] = []
    var pending = parts[0]
    var isFirst = true
    func flush() {
      if !pending.isEmpty || isFirst { tokens += encode(pending, isFirst) }
      (pending, isFirst) = ("", false)
    }
    for (index, part) in parts.dropFirst().enumerated() {
      for piece in images[index].layout.pieces {
        switch piece {
        case .text(let text): pending += text
        case .rows(let rows):
          flush()
          places.append(Place(image: index, rows: rows, position: tokens.count))
          tokens += Array(repeating: reader.rowToken, count: rows.count)
        }
      }
      pending += part
    }
    flush()
    return tokens
  }

  /// Reads the images, for their rows to take their places among the tokens.
  func embeddings() async throws -> [EmbeddingSpan] {
    var rows: [FloatBuffer] = []
    let identities = images.map(\.identity)
    for (image, identity) in zip(images, identities) {
      do {
        rows.append(try await reader.rows(of: image, identity: identity))
      } catch let error as ImageError {
        throw Self.refusal(of: "\(error)")
      }
    }
    return places.map {
      EmbeddingSpan(
        position: $0.position, range: $0.rows, rows: rows[$0.image],
        identity: identities[$0.image], rowsSeeAll: reader.rowsSeeAll,
        grid: images[$0.image].layout.grid)
    }
  }
}
