import Foundation
import Routing

/// An OpenAI-compatible server, and what to ask it for: how a remote expert is run.
package struct Endpoint: Sendable, Equatable {
  /// Where the key is. It is never in the card: cards are committed, shown and copied.
  package enum KeySource: Sendable, Equatable {
    case environment(String)
    /// A file that holds nothing else, such as a container's secret.
    case file(String)
  }

  /// A field of each request's body. Nil leaves it out that would be there otherwise.
  package struct BodyField: Sendable, Equatable {
    package let name: String
    package let json: [UInt8]?

    package init(name: String, json: [UInt8]?) {
      self.name = name
      self.json = json
    }
  }

  /// The interface's base without a slash at the end, such as `https://api.openai.com/v1`.
  package let url: String
  /// The endpoint's own name for the model.
  package let model: String
  package let keySource: KeySource?
  /// What the endpoint calls the most tokens of an answer: `max_tokens`, or `max_completion_tokens`.
  package let maxTokensField: String
  package let bodyFields: [BodyField]
  /// Longest time in which nothing comes.
  package let timeoutSeconds: Int

  package init(
    url: String, model: String, keySource: KeySource? = nil,
    maxTokensField: String = "max_tokens", bodyFields: [BodyField] = [], timeoutSeconds: Int = 120
  ) throws(EndpointProblem) {
    var base = url
    while base.hasSuffix("/") { base.removeLast() }
    guard let parts = URLComponents(string: base), let scheme = parts.scheme?.lowercased(),
      ["http", "https"].contains(scheme), let host = parts.host, !host.isEmpty,
      base.utf8.allSatisfy({ 0x21...0x7E ~= $0 })
    else {
      throw EndpointProblem(
        message: "endpoint '\(url.prefix(200))' is no URL such as https://api.example.com/v1")
    }
    guard parts.user == nil, parts.password == nil else {
      throw EndpointProblem(
        message: "endpoint must not hold a name or password; api_key_env or api_key_file say where "
          + "the key is")
    }
    guard parts.query == nil, parts.fragment == nil else {
      throw EndpointProblem(
        message: "endpoint '\(base.prefix(200))' must end with its path, without '?' and '#'")
    }
    for path in ["/chat/completions", "/completions"] where base.hasSuffix(path) {
      throw EndpointProblem(
        message:
          "endpoint is the base, such as \(base.dropLast(path.count)); \(path) is put behind it"
      )
    }
    guard !model.isEmpty, model.utf8.count <= 1_000 else {
      throw EndpointProblem(message: "model must have 1 to 1000 bytes")
    }
    guard (1...3_600).contains(timeoutSeconds) else {
      throw EndpointProblem(message: "timeout_seconds is \(timeoutSeconds); expected 1 to 3600")
    }
    let own = ["model", "messages", "prompt", "stream"]
    if let name = bodyFields.map(\.name).first(where: own.contains) {
      throw EndpointProblem(message: "request: '\(name)' is the server's own to set")
    }
    self.url = base
    self.model = model
    self.keySource = keySource
    self.maxTokensField = maxTokensField
    self.bodyFields = bodyFields
    self.timeoutSeconds = timeoutSeconds
  }

  /// The host's name, without what surrounds an IPv6 address.
  package var host: String {
    let host = URLComponents(string: url)?.host ?? ""
    return host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
  }

  /// Whether what is sent there stays on this machine, whatever the network is.
  package var isLoopback: Bool {
    let host = host.lowercased()
    if host == "localhost" || host.hasSuffix(".localhost") || host == "::1" { return true }
    var address = in_addr()
    return inet_pton(AF_INET, host, &address) == 1 && UInt32(bigEndian: address.s_addr) >> 24 == 127
  }

  /// Whether a key or a prompt could be read on the way to another machine.
  package var isOpenToReaders: Bool { url.lowercased().hasPrefix("http:") && !isLoopback }

  /// Why the key can't be had; nil where it can, or none is asked for. For whoever runs the server: a key may stand
  /// where its variable's name should.
  package var keyProblem: String? {
    do throws(EndpointProblem) {
      _ = try key()
      return nil
    } catch {
      return error.message
    }
  }

  /// The key to send; nil where none is asked for. Throws where it is asked for and can't be had.
  package func key() throws(EndpointProblem) -> String? {
    let text: String
    let place: String
    switch keySource {
    case nil: return nil
    case .environment(let name):
      place = "environment variable \(name)"
      text = ProcessInfo.processInfo.environment[name] ?? ""
    case .file(let path):
      place = path
      guard let found = try? String(contentsOfFile: path, encoding: .utf8) else {
        throw EndpointProblem(message: "its key cannot be read from \(path)")
      }
      text = found
    }
    let key = text.trimmingCharacters(in: .whitespacesAndNewlines)
    guard !key.isEmpty else {
      throw EndpointProblem(message: "\(place) holds no key")
    }
    guard key.utf8.count <= 16_384, key.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw EndpointProblem(message: "\(place) holds something that is no key")
    }
    return key
  }
}

/// What is wrong with the description of an endpoint.
package struct EndpointProblem: Error, Sendable, CustomStringConvertible {
  package let message: String
  package var description: String { message }

  package init(message: String) { self.message = message }
}
