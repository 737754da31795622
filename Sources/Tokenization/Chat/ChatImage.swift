import Foundation

/// An image that a message shows, as the client sent it.
///
/// It is kept as it came: an endpoint gets the very same words, and only a model that runs here needs its bytes.
package struct ChatImage: Sendable, Equatable {
  package enum Source: Sendable, Equatable {
    /// The file itself, in base64.
    case data(mediaType: String, base64: String)
    /// Where it is: `http` or `https`. Nobody here goes there.
    case address(String)
  }

  package let source: Source
  /// How closely to look, in OpenAI's words (`low`, `high`, `auto`).
  package let detail: String?

  package init(_ source: Source, detail: String? = nil) {
    self.source = source
    self.detail = detail
  }

  /// Types that models are given; what they are is told by the file's first bytes.
  package static let mediaTypes = ["image/png", "image/jpeg", "image/webp", "image/gif"]

  /// Why an image can't be taken, for whoever sent it.
  package struct Problem: Error, Equatable, CustomStringConvertible {
    package let description: String
  }

  /// An image of a `data:` address, or somewhere on the web.
  package init(url: String, detail: String? = nil) throws(Problem) {
    let beginning = url.prefix(8).lowercased()
    if beginning.hasPrefix("http://") || beginning.hasPrefix("https://") {
      guard URL(string: url)?.host()?.isEmpty == false else {
        throw Problem(description: "its address can't be read")
      }
      self.init(.address(url), detail: detail)
      return
    }
    guard beginning.hasPrefix("data:"), let comma = url.utf8.firstIndex(of: 44) else {
      throw Problem(
        description: "its address must begin with 'data:image/png;base64,', 'https://' or 'http://'"
      )
    }
    let marks = url[..<comma].dropFirst(5).split(separator: ";")
    guard marks.last?.lowercased() == "base64" else {
      throw Problem(description: "its 'data:' address must be in base64")
    }
    try self.init(base64: String(url[url.utf8.index(after: comma)...]), detail: detail)
  }

  /// An image's file in base64. The type is read off the file: clients guess, and guess wrong.
  package init(base64: String, detail: String? = nil) throws(Problem) {
    guard let data = Data(base64Encoded: base64) else {
      throw Problem(description: "it is no base64")
    }
    guard let mediaType = Self.mediaType(of: data) else {
      throw Problem(
        description: "it is none of " + Self.mediaTypes.map { "\($0)" }.joined(separator: ", "))
    }
    self.init(.data(mediaType: mediaType, base64: base64), detail: detail)
  }

  /// The type of a file by its first bytes; nil for one that no model here or elsewhere is given.
  package static func mediaType(of file: some Collection<UInt8>) -> String? {
    let beginning = Array(file.prefix(12))
    func has(_ text: String, at offset: Int = 0) -> Bool {
      beginning.dropFirst(offset).starts(with: text.utf8)
    }
    if beginning.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      return "image/png"
    }
    if beginning.starts(with: [0xFF, 0xD8, 0xFF]) { return "image/jpeg" }
    if has("RIFF"), has("WEBP", at: 8) { return "image/webp" }
    if has("GIF87a") || has("GIF89a") { return "image/gif" }
    return nil
  }

  /// Whether only an endpoint can take it: one of which the address alone is known, and a GIF, which no model here is
  /// taught to see.
  package var isForEndpoints: Bool {
    switch source {
    case .address: true
    case .data(let mediaType, _): mediaType == "image/gif"
    }
  }

  /// The file; nil where only its address is known.
  package var file: Data? {
    guard case .data(_, let base64) = source else { return nil }
    return Data(base64Encoded: base64)
  }

  /// What an endpoint is given in OpenAI's `image_url`.
  package var url: String {
    switch source {
    case .data(let mediaType, let base64): "data:\(mediaType);base64,\(base64)"
    case .address(let url): url
    }
  }
}
