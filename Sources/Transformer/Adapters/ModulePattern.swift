/// A key of PEFT's `rank_pattern` or `alpha_pattern`: the end of a module's name.
///
/// PEFT reads it as a regular expression. Read here are names, with `\.` for a point, `.*` for any
/// text, and `^` and `$` at the ends; nothing that a file holds can then take long to match.
struct ModulePattern {
  /// The texts between the `.*`s.
  private let pieces: [Substring]
  private let isAnchored: Bool

  /// Nil if the pattern uses more of regular expressions than that.
  init?(_ pattern: String) {
    var text = pattern[...]
    isAnchored = text.hasPrefix("^")
    if isAnchored { text = text.dropFirst() }
    if text.hasSuffix("$") { text = text.dropLast() }
    let wildcard: Character = "*"
    let plain = text.replacing("\\.", with: "\u{0}").replacing(".*", with: String(wildcard))
      .replacing("\u{0}", with: ".")
    let others = plain.filter {
      !($0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "." || $0 == wildcard))
    }
    guard others.isEmpty, !plain.isEmpty, !text.replacing(".*", with: "").contains("*") else {
      return nil
    }
    pieces = plain.split(separator: wildcard, omittingEmptySubsequences: false)
      .map { Substring(String($0)) }
  }

  /// Whether the pattern is the whole name or, unless it is anchored, what follows one of its
  /// points.
  func matches(_ name: String) -> Bool {
    if matchesWhole(name[...]) { return true }
    guard !isAnchored else { return false }
    return name.indices.contains { index in
      name[index] == "." && matchesWhole(name[name.index(after: index)...])
    }
  }

  private func matchesWhole(_ name: Substring) -> Bool {
    guard let first = pieces.first, let last = pieces.last else { return false }
    guard pieces.count > 1 else { return name == first }
    guard name.hasPrefix(first) else { return false }
    var rest = name.dropFirst(first.count)
    for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
      guard let found = rest.firstRange(of: piece) else { return false }
      rest = rest[found.upperBound...]
    }
    return rest.hasSuffix(last)
  }
}
