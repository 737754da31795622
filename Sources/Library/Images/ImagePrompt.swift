import Generation
import Kernels
import Tokenization
import Transformer
import Vision

/// The images of a chat in its prompt: text with a placeholder for each row of an image.
struct ImagePrompt {
  let images: [ImageReader.Image]

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
      guard let found else { throw Self.refusal(of: LocalExpert.goesNowhere) }
      images.append(found)
    }
    self.images = images
  }

  static func refusal(of problem: String) -> GenerationError {
    .invalidParameter(name: "messages", value: problem, expected: "images that can be read")
  }

  /// The template's text with what stands for each image where the template put its placeholder.
  func expand(_ text: String) throws(GenerationError) -> String {
    let parts = text.components(separatedBy: ImageEncoder.placeholder)
    guard parts.count == images.count + 1 else {
      throw Self.refusal(
        of: "\(images.count) images, of which the model's chat template shows \(parts.count - 1)")
    }
    var expanded = parts[0]
    for (image, part) in zip(images, parts.dropFirst()) {
      for piece in image.layout.pieces {
        switch piece {
        case .text(let text): expanded += text
        case .rows(let rows):
          expanded += String(repeating: ImageEncoder.placeholder, count: rows.count)
        }
      }
      expanded += part
    }
    return expanded
  }

  /// Where the images' rows stand among a prompt's tokens.
  ///
  /// - Parameter rows: Of each image. // (layout.rowCount, width)
  func spans(
    in tokens: [Int32], placeholder: Int32, rows: [FloatBuffer]
  ) throws(GenerationError) -> [EmbeddingSpan] {
    let places = tokens.indices.filter { tokens[$0] == placeholder }
    guard places.count == images.reduce(0, { $0 + $1.layout.rowCount }) else {
      throw Self.refusal(of: "a text that the model's tokenizer takes for a part of an image")
    }
    var spans: [EmbeddingSpan] = []
    var next = 0
    for (image, rows) in zip(images, rows) {
      let identity = image.identity
      let mine = places[next..<next + image.layout.rowCount]
      var first = mine.startIndex
      while first < mine.endIndex {
        // Rows with nothing between them.
        let end =
          mine[first...].indices.first { mine[$0] - mine[first] != $0 - first } ?? mine.endIndex
        spans.append(
          EmbeddingSpan(
            position: mine[first], range: first - next..<end - next, rows: rows,
            identity: identity))
        first = end
      }
      next += image.layout.rowCount
    }
    return spans
  }
}
