import HTTP
import Thalamus

/// Checks the key that a client sends, where the server asks for one.
package struct Authorization: Sendable {
  private let keys: [[UInt8]]
  private let ring: KeyRing?

  /// - Parameters:
  ///   - keys: Those of the operator, which have no names and no limits.
  ///   - ring: Those that have names. Without the one and the other the check is off.
  package init(keys: [String], ring: KeyRing? = nil) {
    self.keys = keys.map { Array($0.utf8) }
    self.ring = ring
  }

  /// Whether a key is asked for.
  package var isOn: Bool { !keys.isEmpty || ring?.asksForKeys == true }

  /// Whose key the request carries; nil where none is asked for, or it is one of the operator's.
  ///
  /// - Throws: 401 where it carries none of the keys.
  @discardableResult
  package func check(_ request: HTTPRequest) throws(APIError) -> APIKey? {
    guard isOn else { return nil }
    let header = request.headers["Authorization"] ?? ""
    // Anthropic's clients have a header of their own for it, and some send both.
    let other = request.headers["x-api-key"] ?? ""
    let sent = [bearer(header), Array(other.utf8)]
    // Both are looked at in any case.
    let accepted = sent.map(isKey)
    if accepted.contains(true) { return nil }
    for key in sent where !key.isEmpty {
      if let named = ring?.key(key) { return named }
    }
    let isMissing = header.isEmpty && other.isEmpty
    throw APIError(
      status: .unauthorized,
      message: isMissing
        ? "a key is needed: Authorization: Bearer KEY, or x-api-key: KEY"
        : "the key is not one of this server's",
      code: isMissing ? "missing_api_key" : "invalid_api_key")
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
