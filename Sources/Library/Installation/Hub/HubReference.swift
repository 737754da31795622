import Foundation

/// A model on the Hugging Face hub, by its name: `hf:OWNER/REPO`, with `@REVISION`, and `:QUANTISATION` or `/FILE.gguf`,
/// where there are some.
package struct HubReference: Sendable, Equatable {
  /// What of a repository is wanted.
  package enum Choice: Sendable, Equatable {
    /// The most usual quantisation that is there; of a repository without GGUF files, its model.
    case usual
    case quantization(String)
    /// One file, by its path in the repository.
    case file(String)
  }

  /// `OWNER/REPO`.
  package let repository: String
  /// A branch, tag or commit; nil for the main branch.
  package let revision: String?
  package let choice: Choice

  /// Longer first: what is behind one is the name.
  private static let spellings = [
    "https://huggingface.co/", "http://huggingface.co/", "https://hf.co/", "huggingface.co/",
    "hf.co/", "hf://", "hf:",
  ]

  /// Nil for what is spelled as no such name: a path, or an endpoint's URL.
  package init?(_ text: String) throws(HubError) {
    guard
      let spelling = Self.spellings.first(where: { text.lowercased().hasPrefix($0) })
    else { return nil }
    func wrong(_ problem: String) -> HubError { .invalidName(text, problem: problem) }
    var name = text.dropFirst(spelling.count)
    if spelling.contains("//") {
      // As a browser has it.
      name = name.prefix { $0 != "?" && $0 != "#" }
      if name.hasSuffix("/") { name = name.dropLast() }
    }
    var parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count >= 2 else { throw wrong("it has no OWNER/REPO") }
    let owner = parts.removeFirst()
    var (repo, quantization) = Self.cut(parts.removeFirst(), at: ":")
    var revision: String?
    (repo, revision) = Self.cut(repo, at: "@")
    // The address of a page, or of a file.
    if parts.count >= 2, ["blob", "resolve", "tree"].contains(parts[0]), revision == nil {
      revision = parts[1]
      parts.removeFirst(2)
    }
    for name in [owner, repo] where !Self.isPlain(name) {
      throw wrong("'\(name.prefix(100))' is no name of an owner or a repository")
    }
    if let revision, !Self.isPlain(revision) {
      throw wrong("'\(revision.prefix(100))' is no revision")
    }
    repository = "\(owner)/\(repo)"
    self.revision = revision
    switch (quantization, parts.isEmpty) {
    case (nil, true): choice = .usual
    case (let quantization?, true):
      guard Self.isPlain(quantization) else {
        throw wrong("'\(quantization.prefix(100))' is no quantisation such as Q4_K_M")
      }
      choice = .quantization(quantization)
    case (nil, false):
      let path = parts.joined(separator: "/")
      guard HubFile.isSafe(path), path.lowercased().hasSuffix(".gguf") else {
        throw wrong("what is behind the repository must be the path of a GGUF file")
      }
      choice = .file(path)
    case (_?, false): throw wrong("a quantisation and a file exclude each other")
    }
  }

  /// The repository's own name.
  package var name: String { String(repository.drop { $0 != "/" }.dropFirst()) }

  private static func cut(_ text: String, at mark: Character) -> (String, String?) {
    guard let place = text.firstIndex(of: mark) else { return (text, nil) }
    return (String(text[..<place]), String(text[text.index(after: place)...]))
  }

  /// Whether it can be a part of a URL and of a folder's name as it is.
  private static func isPlain(_ text: String) -> Bool {
    text.utf8.count <= 100 && text.wholeMatch(of: /[A-Za-z0-9_][A-Za-z0-9._-]*/) != nil
      && !text.contains("..")
  }
}

extension HubReference: CustomStringConvertible {
  package var description: String {
    let base = "hf:\(repository)" + (revision.map { "@\($0)" } ?? "")
    return switch choice {
    case .usual: base
    case .quantization(let name): "\(base):\(name)"
    case .file(let path): "\(base)/\(path)"
    }
  }
}
