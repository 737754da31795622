import Foundation
import ModelFiles

/// BERT's uncased tokenizer, from a `vocab.txt`: text is cleaned, lower-cased and stripped of
/// accents, cut at white space and punctuation, and each word is covered by the longest pieces
/// from its left; pieces inside a word are written with `##`.
package struct WordPieceTokenizer: Tokenizer {
  private let pieces: ByteStringTable
  /// Pieces that continue a word, without their `##`; the ids beside them.
  private let continuations: ByteStringTable
  private let continuationIds: [Int32]
  private let specials: SpecialTokenSplitter
  private let specialIds: Set<Int32>
  private let unknown: Int32
  private let begin: Int32
  private let separator: Int32
  /// Longest result of `encode`, the special tokens included.
  package let maximumTokens: Int

  package var vocabularyCount: Int { pieces.count }
  package var beginningOfText: Int32? { begin }
  package var endOfText: Int32? { separator }
  package var endTokens: Set<Int32> { [separator] }
  package var addsSpacePrefix: Bool { true }

  /// Longer words become one unknown token.
  private static let maximumWordScalars = 100

  /// Reads `vocab.txt` and the `max_seq_length` of `sentence_bert_config.json` from a model's
  /// folder in the sentence-transformers layout.
  package init(folder: String) throws {
    let path = folder + "/sentence_bert_config.json"
    var maximumTokens = 512
    if FileManager.default.fileExists(atPath: path) {
      struct Configuration: Decodable { let max_seq_length: Int? }
      let data = try Data(contentsOf: URL(fileURLWithPath: path))
      let configuration = try JSONDecoder().decode(Configuration.self, from: data)
      maximumTokens = configuration.max_seq_length ?? maximumTokens
    }
    try self.init(vocabularyPath: folder + "/vocab.txt", maximumTokens: maximumTokens)
  }

  package init(vocabularyPath: String, maximumTokens: Int) throws {
    guard (3...1_000_000).contains(maximumTokens) else {
      throw TokenizerError(
        field: "max_seq_length", problem: "is \(maximumTokens), expected 3 to 1000000")
    }
    let map = try MemoryMap(path: vocabularyPath)
    var lines = map.bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    guard lines.count <= Vocabulary.maximumCount, map.count < ByteStringTable.maximumBytes else {
      throw TokenizerError(field: vocabularyPath, problem: "has \(lines.count) lines")
    }
    var pieces = ByteStringTable(capacity: lines.count, byteCapacity: map.count)
    var continuations = ByteStringTable(capacity: lines.count, byteCapacity: map.count)
    var continuationIds: [Int32] = []
    for (index, line) in lines.enumerated() {
      let line = line.last == 0x0D ? line.dropLast() : line
      pieces.append(UnsafeRawBufferPointer(rebasing: line))
      if line.starts(with: "##".utf8), line.count > 2 {
        continuations.append(UnsafeRawBufferPointer(rebasing: line.dropFirst(2)))
        continuationIds.append(Int32(index))
      }
    }
    func id(_ name: String) throws(TokenizerError) -> Int32 {
      let id = pieces.find(Array(name.utf8))
      guard id >= 0 else { throw TokenizerError(field: vocabularyPath, problem: "has no \(name)") }
      return id
    }
    unknown = try id("[UNK]")
    begin = try id("[CLS]")
    separator = try id("[SEP]")
    let names = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    let special = names.map { (id: pieces.find(Array($0.utf8)), bytes: Array($0.utf8)) }
      .filter { $0.id >= 0 }
    specials = SpecialTokenSplitter(special)
    specialIds = Set(special.map(\.id))
    self.pieces = pieces
    self.continuations = continuations
    self.continuationIds = continuationIds
    self.maximumTokens = maximumTokens
  }

  /// The ids, with `[CLS]` and `[SEP]` around them if `addSpecial`; the text is cut so that there
  /// are at most `maximumTokens`.
  package func encode(_ text: String, addSpecial: Bool, parseSpecial: Bool) -> [Int32] {
    let limit = addSpecial ? maximumTokens - 2 : maximumTokens
    var ids: [Int32] = []
    var text = text
    text.withUTF8 { utf8 in
      let bytes = UnsafeRawBufferPointer(utf8)
      guard parseSpecial else {
        append(bytes, limit, to: &ids)
        return
      }
      for piece in specials.split(bytes) where ids.count < limit {
        switch piece {
        case .token(let id): ids.append(id)
        case .text(let range):
          append(UnsafeRawBufferPointer(rebasing: bytes[range]), limit, to: &ids)
        }
      }
    }
    ids = Array(ids.prefix(limit))
    return addSpecial ? [begin] + ids + [separator] : ids
  }

  private func append(_ text: UnsafeRawBufferPointer, _ limit: Int, to ids: inout [Int32]) {
    var word: [UInt8] = []
    var scalars = 0
    // Taken in parts, so that a long text is normalised only as far as its tokens are wanted.
    BERTNormalizer.forEachPart(of: text) { part in
      for scalar in part.unicodeScalars {
        let kind = BERTNormalizer.Kind(scalar)
        if kind == .letter {
          if scalars <= Self.maximumWordScalars {
            word.append(contentsOf: UTF8.encode(scalar) ?? Unicode.UTF8.EncodedScalar())
          }
          scalars += 1
          continue
        }
        flush(&word, &scalars, to: &ids)
        if kind == .single {
          word.append(contentsOf: UTF8.encode(scalar) ?? Unicode.UTF8.EncodedScalar())
          scalars = 1
          flush(&word, &scalars, to: &ids)
        }
      }
      return ids.count < limit
    }
    flush(&word, &scalars, to: &ids)
  }

  private func flush(_ word: inout [UInt8], _ scalars: inout Int, to ids: inout [Int32]) {
    defer {
      word.removeAll(keepingCapacity: true)
      scalars = 0
    }
    guard !word.isEmpty else { return }
    guard scalars <= Self.maximumWordScalars else {
      ids.append(unknown)
      return
    }
    let count = ids.count
    word.withUnsafeBytes { bytes in
      var start = 0
      while start < bytes.count {
        let table = start == 0 ? pieces : continuations
        var end = min(bytes.count, start + table.longest)
        var found: Int32 = -1
        while end > start {
          // Cut only where a character ends.
          if end == bytes.count || bytes[end] & 0xC0 != 0x80 {
            found = table.find(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            if found >= 0 { break }
          }
          end -= 1
        }
        guard found >= 0 else {
          ids.removeSubrange(count...)
          ids.append(unknown)
          return
        }
        ids.append(start == 0 ? found : continuationIds[Int(found)])
        start = end
      }
    }
  }

  package func bytes(of id: Int32) -> [UInt8] {
    let piece = pieces[Int(id)]
    if specialIds.contains(id) || piece.isEmpty { return Array(piece) }
    return piece.starts(with: "##".utf8) && piece.count > 2
      ? Array(piece.dropFirst(2)) : [0x20] + piece
  }

  package func isSpecial(_ id: Int32) -> Bool {
    specialIds.contains(id) || id < 0 || Int(id) >= pieces.count
  }

  package func id(ofToken text: String) -> Int32? {
    let id = pieces.find(Array(text.utf8))
    return id >= 0 ? id : nil
  }
}
