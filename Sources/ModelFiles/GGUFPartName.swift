/// The name of one of several files with one model: `NAME-00001-of-00003.gguf`, as llama.cpp's
/// `gguf-split` and others write it.
package struct GGUFPartName: Equatable, Sendable {
  /// What comes before the number, folder included.
  package let base: String
  /// From 1.
  package let number: Int
  package let count: Int

  /// - Parameter path: A file's name or path. Nil for a name without the numbers, or with such as can't be.
  package init?(_ path: String) {
    guard let match = path.wholeMatch(of: /(.+)-([0-9]{5})-of-([0-9]{5})\.gguf/),
      let number = Int(match.2), let count = Int(match.3), (1...max(1, count)).contains(number),
      count > 0
    else { return nil }
    base = String(match.1)
    self.number = number
    self.count = count
  }

  /// The name or path of another part, from 1.
  package func path(ofPart number: Int) -> String {
    "\(base)-\(Self.digits(number))-of-\(Self.digits(count)).gguf"
  }

  /// Those of all parts, in order.
  package var paths: [String] { (1...count).map(path(ofPart:)) }

  private static func digits(_ number: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, 5 - text.count)) + text
  }
}
