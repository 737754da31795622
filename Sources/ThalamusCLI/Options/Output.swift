import Foundation
import Library

/// What commands print: results to standard output, everything else to standard error.
enum Output {
  static func json(_ value: some Encodable, pretty: Bool = false) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting =
      pretty
      ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
      : [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    FileHandle.standardOutput.write(try encoder.encode(value) + Data("\n".utf8))
  }

  static func text(_ text: String, terminator: String = "\n") {
    FileHandle.standardOutput.write(Data((text + terminator).utf8))
  }

  static func note(_ text: String, terminator: String = "\n") {
    FileHandle.standardError.write(Data((text + terminator).utf8))
  }

  /// What could not be measured, the first of it.
  static func note(_ problems: [(prompt: String, expert: String, problem: String)]) {
    for problem in problems.prefix(20) {
      note("\(problem.prompt), \(problem.expert): \(problem.problem)")
    }
  }

  /// Experts that are left out.
  static func note(_ problems: [String: LibraryError]) {
    for (id, problem) in problems.sorted(by: { $0.key < $1.key }) {
      note("\(id) is left out: \(problem)")
    }
  }

  /// All of standard input, or a file.
  static func read(_ path: String?) throws -> String {
    let data: Data
    if let path, path != "-" {
      guard let contents = FileManager.default.contents(atPath: path) else {
        throw CommandFailure("\(path): cannot be read")
      }
      data = contents
    } else {
      data = FileHandle.standardInput.readDataToEndOfFile()
    }
    return String(decoding: data, as: UTF8.self)
  }

  /// The lines of a text, empty ones among them, so that results can be put beside them. In Swift,
  /// a line end of Windows is one character, and no line feed.
  static func lines(of text: String) -> [String] {
    var lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
      .map(String.init)
    if lines.last == "" { lines.removeLast() }
    return lines
  }
}
