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
}

/// An image as a language model reads it.
package struct EncodedImage: Sendable {
  package let layout: ImageLayout
  /// Numbers of a row: the language model's width.
  package let width: Int
  /// // (layout.rowCount, width)
  package let rows: [Float]
}

extension ImageLayout {
  /// As transformers' `Idefics3Processor` writes it: each tile behind the name of its row and column, then the
  /// whole image, with a break behind each row of tiles and one more before the whole.
  ///
  /// - Parameter rows: Of embeddings, for a tile.
  init(idefics3 grid: TileGrid, rows: Int) {
    let mark = "<fake_token_around_image>"
    var pieces: [Piece] = []
    var next = 0
    func addTile(_ text: String) {
      pieces.append(.text(text))
      pieces.append(.rows(next..<next + rows))
      next += rows
    }
    if !grid.isSingle {
      for row in 1...grid.rows {
        for column in 1...grid.columns {
          let lineBreak = row > 1 && column == 1 ? "\n" : ""
          addTile("\(lineBreak)\(mark)<row_\(row)_col_\(column)>")
        }
      }
    }
    addTile((grid.isSingle ? "" : "\n\n") + mark + "<global-img>")
    pieces.append(.text(mark))
    self.init(pieces: pieces, rowCount: next, tileCount: grid.tileCount)
  }
}
