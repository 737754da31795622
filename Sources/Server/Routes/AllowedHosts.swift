import HTTP
import Thalamus

/// The names by which a server on this machine alone may be called, while no key is asked for.
///
/// A page from anywhere may give its own name the address 127.0.0.1 once it is loaded (DNS rebinding), and its browser
/// then takes this server for the page's own and lets it read all answers, the log among them. Such requests
/// carry that name as their host.
package struct AllowedHosts: Sendable {
  /// Nil where every name is fine.
  private let names: Set<String>?

  package init(_ server: Configuration.Server) {
    let isForAll = server.allowedHosts.contains("*") || !server.apiKeys.isEmpty
    names =
      isForAll || !Self.isLoopback(server.host.lowercased())
      ? nil : Set(server.allowedHosts.map { $0.lowercased() })
  }

  package func check(_ request: HTTPRequest) throws(APIError) {
    // HTTP/1.0 has no host, and no browser speaks it.
    guard let names, let header = request.headers["Host"] else { return }
    let host = Self.withoutPort(header.lowercased())
    guard names.contains(host) || Self.isLoopback(host) else {
      throw APIError(
        status: .forbidden,
        message: "this server is for this machine and is not called '\(host.prefix(100))': "
          + "add that name to server.allowed_hosts, or set server.api_keys",
        code: "host_not_allowed")
    }
  }

  private static func withoutPort(_ host: String) -> String {
    if host.hasPrefix("[") { return String(host.prefix { $0 != "]" }) + "]" }
    return String(host.prefix { $0 != ":" })
  }

  private static func isLoopback(_ host: String) -> Bool {
    if host == "localhost" || host.hasSuffix(".localhost") || host == "::1" || host == "[::1]" {
      return true
    }
    // An address, and not a name that begins as one.
    let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
    return numbers.count == 4 && numbers[0] == "127" && numbers.allSatisfy { UInt8($0) != nil }
  }
}
