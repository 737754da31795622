import HTTP

/// Checks the key that a client sends, where the configuration asks for one.
package struct Authorization: Sendable {
  private let keys: [[UInt8]]

  /// - Parameter keys: those accepted; none turns the check off.
  package init(keys: [String]) {
    self.keys = keys.map { Array($0.utf8) }
  }

  /// Whether a key is asked for.
  package var isOn: Bool { !keys.isEmpty }

  /// Throws 401 where the request carries none of the keys.
  package func check(_ request: HTTPRequest) throws(APIError) {
    guard isOn else { return }
    let header = request.headers["Authorization"] ?? ""
    // Anthropic's clients have a header of their own for it, and some send both.
    let other = request.headers["x-api-key"] ?? ""
    let isMissing = header.isEmpty && other.isEmpty
    // Both are looked at in any case.
    let accepted = [bearer(header), Array(other.utf8)].map(isKey)
    guard accepted.contains(true) else {
      throw APIError(
        status: .unauthorized,
        message: isMissing
          ? "a key is needed: Authorization: Bearer KEY, or x-api-key: KEY"
          : "the key is not one of this server's",
        code: isMissing ? "missing_api_key" : "invalid_api_key")
    }
  }

  private func bearer(_ header: String) -> [UInt8] {
    let words = header.split(separator: " ", maxSplits: 1)
    return words.count == 2 && words[0].lowercased() == "bearer"
      ? Array(words[1].utf8.drop { $0 == 0x20 }) : []
  }

  private func isKey(_ sent: [UInt8]) -> Bool {
    var accepted = false
    for key in keys where Self.equal(sent, key) { accepted = true }
    // An empty key in the configuration, left by an unset variable say, lets nobody in.
    return accepted && !sent.isEmpty
  }

  /// Takes as long whether keys differ early or late, so that timing does not tell a key.
  private static func equal(_ first: [UInt8], _ second: [UInt8]) -> Bool {
    guard first.count == second.count else { return false }
    var difference: UInt8 = 0
    for index in first.indices { difference |= first[index] ^ second[index] }
    return difference == 0
  }
}
