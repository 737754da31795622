import Foundation
import Kernels

/// The buffers that an encoder's passes work in, and the texts of the one that runs.
final class EncoderPass: @unchecked Sendable {
  // Unchecked: one pass at a time, and its barriers order the workers.

  /// One text's rows, and the pages of its keys and values.
  struct Text {
    let firstRow: Int
    let count: Int
    let firstPage: Int
    /// Where its room begins among the positions of ``Encoder/fullAttention``.
    let place: Int
  }

  let layout: KVLayout
  let hidden: FloatBuffer  // (rows, width), the residual stream
  /// The residual stream as the products behind a norm take it. For the values of attention, where
  /// weights are quantised, what rounding left of each row follows as a row of its own: int8
  /// activations there cost more of the embedding's direction than all other roundings together.
  /// // (copies x rows, width)
  let normed: Activations
  /// Rows of `normed` for each row of the pass.
  let copies: Int
  let query: FloatBuffer  // (rows, width)
  let key: FloatBuffer
  let value: FloatBuffer
  let attended: Activations
  let inner: FloatBuffer
  let activated: Activations
  let maximumRows: Int
  let pageCount: Int
  private(set) var texts: [Text] = []
  private(set) var rowCount = 0
  let tokens: UnsafeMutablePointer<Int32>
  private let textOfRow: UnsafeMutablePointer<Int32>
  /// One layer's pages: layers come one after the other, so they share them.
  private let pages: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private let pageMemory: FloatBuffer
  private let spans: UnsafeMutablePointer<AttentionSpan>

  init(
    configuration: EncoderConfiguration, precision: WeightMatrix.Precision, maximumRows: Int
  ) throws(KernelError) {
    self.maximumRows = maximumRows
    let rows = maximumRows
    let width = configuration.width
    layout = try KVLayout(
      keyValueHeads: configuration.headCount, headDim: configuration.headDim,
      elementType: precision == .float ? .f32 : .f16)
    hidden = try FloatBuffer(rows: rows, width: width)
    copies = precision == .quantized ? 2 : 1
    let copied = rows * copies
    normed = try Activations(maxRows: copied, width: width, precision: precision)
    query = try FloatBuffer(rows: rows, width: width)
    key = try FloatBuffer(rows: rows, width: width)
    value = try FloatBuffer(rows: rows, width: width)
    attended = try Activations(maxRows: rows, width: width, precision: precision)
    inner = try FloatBuffer(rows: rows, width: configuration.feedForwardWidth)
    activated = try Activations(
      maxRows: rows, width: configuration.feedForwardWidth, precision: precision)
    // A short text takes a page of its own: allow for some beyond what full pages need.
    pageCount = (rows + KVLayout.positions - 1) / KVLayout.positions + 16
    let pageFloats = (layout.bytesPerPage + 63) / 64 * 16
    pageMemory = try FloatBuffer(rows: pageCount, width: pageFloats)
    pages = .allocate(capacity: pageCount)
    for page in 0..<pageCount {
      (pages + page).initialize(to: UnsafeMutableRawPointer(pageMemory.row(page)))
    }
    tokens = .allocate(capacity: rows)
    textOfRow = .allocate(capacity: rows)
    spans = .allocate(capacity: pageCount)
  }

  deinit {
    tokens.deallocate()
    textOfRow.deallocate()
    pages.deallocate()
    spans.deallocate()
  }

  /// Takes as many of the texts as fit, and gives their number: at least one.
  func begin(_ batch: ArraySlice<[Int32]>) -> Int {
    texts.removeAll(keepingCapacity: true)
    rowCount = 0
    var page = 0
    var place = 0
    for tokens in batch {
      let needed = (tokens.count + KVLayout.positions - 1) / KVLayout.positions
      guard rowCount + tokens.count <= maximumRows, page + needed <= pageCount else { break }
      let index = texts.count
      for (offset, token) in tokens.enumerated() {
        self.tokens[rowCount + offset] = token
        textOfRow[rowCount + offset] = Int32(truncatingIfNeeded: index)
      }
      (spans + index).initialize(
        to: AttentionSpan(
          firstRow: rowCount, rowCount: tokens.count, firstPosition: 0,
          pages: UnsafePointer(pages + page)))
      texts.append(Text(firstRow: rowCount, count: tokens.count, firstPage: page, place: place))
      place += FullAttention.room(positions: tokens.count)
      rowCount += tokens.count
      page += needed
    }
    return texts.count
  }

  /// Positions of all texts that `begin` may take, each in a room of its own.
  var room: Int { pageCount * FullAttention.room(positions: KVLayout.positions) }

  func position(row: Int) -> Int { row - texts[Int(textOfRow[row])].firstRow }

  func span(text: Int) -> UnsafeBufferPointer<AttentionSpan> {
    UnsafeBufferPointer(start: spans + text, count: 1)
  }

  func pages(of text: Text) -> UnsafePointer<UnsafeMutableRawPointer> {
    UnsafePointer(pages + text.firstPage)
  }
}
