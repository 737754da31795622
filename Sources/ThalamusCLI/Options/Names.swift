import Foundation

/// Lists that an option has in one text.
enum Names {
  /// The names between commas, without blanks around them; none that are empty.
  static func list(_ text: String) -> [String] {
    text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty }
  }
}
