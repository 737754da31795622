import Transformer

/// What stands for an image in a prompt, without its embeddings: what a prompt's length is counted with.
package struct ImageLayout: Sendable, Equatable {
  /// A part of what stands for an image.
  package enum Piece: Sendable, Equatable {
    /// Control tokens and line breaks, as text.
    case text(String)
    /// These rows of embeddings, one a token.
    case rows(Range<Int>)
  }

  /// In the order of the prompt. Rows follow each other, from 0.
  package let pieces: [Piece]
  package let rowCount: Int
  /// Passes through the vision transformer that the image costs.
  package let tileCount: Int
  /// How the rows lie in the image, where the language model wants to know.
  package var grid: EmbeddingSpan.Grid?
}

/// An image as a language model reads it.
package struct EncodedImage: Sendable {
  package let layout: ImageLayout
  /// Numbers of a row: the language model's `imageRowWidth`.
  package let width: Int
  /// // (layout.rowCount, width)
  package let rows: [Float]
}
