import Foundation
import HTTPClient

/// Where the hub is, and the token that it is shown: as its own tools find them.
package struct HubSettings: Sendable {
  /// Without a slash at the end.
  let endpoint: HTTPAddress
  /// Never printed, and sent to the endpoint alone.
  let token: String?

  /// - Parameter environment: `HF_ENDPOINT` is a mirror; `HF_TOKEN` the token, else the file `token` in `HF_HOME`,
  ///   by default `~/.cache/huggingface`, where the hub's own command line keeps it.
  package init(environment: [String: String]) throws(HubError) {
    var url = environment["HF_ENDPOINT"] ?? ""
    if url.isEmpty { url = "https://huggingface.co" }
    while url.hasSuffix("/") { url.removeLast() }
    guard let endpoint = try? HTTPAddress(url), !url.contains("?"), !url.contains("#") else {
      throw .invalidSetting("HF_ENDPOINT '\(url.prefix(200))' is no URL of http or https")
    }
    self.endpoint = endpoint
    token = try Self.token(environment)
  }

  private static func token(_ environment: [String: String]) throws(HubError) -> String? {
    var place = "HF_TOKEN"
    var text = environment["HF_TOKEN"] ?? ""
    if text.isEmpty {
      let home = environment["HOME"] ?? NSHomeDirectory()
      place = (environment["HF_HOME"] ?? home + "/.cache/huggingface") + "/token"
      text = (try? String(contentsOfFile: place, encoding: .utf8)) ?? ""
    }
    let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
    guard !token.isEmpty else { return nil }
    guard token.utf8.count <= 1_000, token.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw .invalidSetting("\(place) holds something that is no token")
    }
    return token
  }

  /// The endpoint's URL without a slash at the end.
  var base: String {
    endpoint.url.hasSuffix("/") ? String(endpoint.url.dropLast()) : endpoint.url
  }

  /// Whether what is sent there stays on this machine.
  var isLoopback: Bool {
    ["localhost", "127.0.0.1", "[::1]"].contains(endpoint.host)
  }

  /// The token for a URL; nil for another server's, and where it could be read on the way.
  func token(for address: HTTPAddress) -> String? {
    address.isSameServer(as: endpoint) && (address.scheme == "https" || isLoopback) ? token : nil
  }
}
