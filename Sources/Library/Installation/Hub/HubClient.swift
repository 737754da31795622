import Foundation
import HTTPClient

/// Asks the Hugging Face hub, or a mirror of it.
package struct HubClient: Sendable {
  package let settings: HubSettings
  let client: HTTPClient
  /// Waits before another attempt.
  private let pause: @Sendable (Duration) async throws -> Void

  package init(
    _ settings: HubSettings,
    pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
  ) throws(HubError) {
    self.settings = settings
    self.pause = pause
    do {
      client = try HTTPClient()
    } catch {
      throw .invalidSetting(error.description)
    }
  }

  private static let maximumAnswerBytes = 16 << 20
  static let maximumPages = 50
  static let maximumFiles = 20_000

  /// What the hub says of the reference's repository, at its revision.
  package func info(_ reference: HubReference) async throws(HubError) -> HubModelInfo {
    var path = "/api/models/\(reference.repository)"
    if let revision = reference.revision { path += "/revision/\(revision)" }
    return try HubModelInfo(try await ask(settings.base + path, reference).bytes)
  }

  /// All files of a repository.
  package func files(
    _ reference: HubReference, commit: String
  ) async throws(HubError) -> [HubFile] {
    var files: [HubFile] = []
    var next: String? =
      "\(settings.base)/api/models/\(reference.repository)/tree/\(commit)?recursive=true"
    for _ in 0..<Self.maximumPages {
      guard let url = next else { return files }
      let page = try await ask(url, reference)
      files += try HubFile.page(page.bytes)
      guard files.count <= Self.maximumFiles else { break }
      next = Self.nextPage(page.link)
    }
    guard next == nil, files.count <= Self.maximumFiles else {
      throw .badAnswer("the repository has more than \(Self.maximumFiles) files")
    }
    return files
  }

  /// The URL in `<URL>; rel="next"`.
  static func nextPage(_ link: String?) -> String? {
    link?.firstMatch(of: /<([^<>]+)>\s*;\s*rel="?next"?/).map { String($0.1) }
  }

  /// The page of a repository, for people.
  func page(_ reference: HubReference) -> String { "\(settings.base)/\(reference.repository)" }

  // MARK: - Requests

  /// A request by GET, with the token where it is due.
  func request(_ url: String) throws(HubError) -> HTTPClientRequest {
    let address: HTTPAddress
    do {
      address = try HTTPAddress(url)
    } catch {
      throw .badAnswer(error.description)
    }
    guard address.scheme == "https" || settings.endpoint.scheme == "http" else {
      throw .badAnswer("it leads to \(address.host) without TLS")
    }
    var request = HTTPClientRequest(
      url: address.url, connectMilliseconds: 20_000, silenceSeconds: 60,
      maximumBytes: Self.maximumAnswerBytes, mayUseProxy: !settings.isLoopback)
    if let token = settings.token(for: address) {
      request.headers.append(("Authorization", "Bearer \(token)"))
    }
    return request
  }

  private func ask(
    _ url: String, _ reference: HubReference
  ) async throws(HubError) -> (bytes: [UInt8], link: String?) {
    let request = try request(url)
    return try await retrying { () async throws(HubError) in
      let response = try await reaching(url) { () async throws(HTTPClientError) in
        try await client.get(request)
      }
      try check(response, reference, what: "\(reference)")
      let bytes = try await reaching(url) { () async throws(HTTPClientError) in
        var bytes: [UInt8] = []
        do {
          for try await piece in response.body { bytes += piece }
        } catch {
          throw error as? HTTPClientError ?? .cancelled
        }
        return bytes
      }
      return (bytes, response.headers["link"])
    }
  }

  /// A response other than of success, as an error.
  func check(
    _ response: HTTPClientResponse, _ reference: HubReference, what: String
  ) throws(HubError) {
    let host = settings.endpoint.host
    switch response.status {
    case 200, 206: return
    case 401, 403:
      throw .refused(
        page: page(reference), hasToken: settings.token(for: settings.endpoint) != nil)
    case 404: throw .notFound(what)
    case 429: throw .busy(host: host, seconds: response.retryAfterSeconds)
    default: throw .failed(host: host, status: response.status)
    }
  }

  /// libcurl's errors as the hub's.
  func reaching<Value: Sendable>(
    _ url: String, _ body: () async throws(HTTPClientError) -> Value
  ) async throws(HubError) -> Value {
    do {
      return try await body()
    } catch {
      let host = (try? HTTPAddress(url))?.host ?? settings.endpoint.host
      switch error {
      case .unwritable(let problem): throw .unwritable(problem)
      case .redirectRefused(let problem): throw .badAnswer(problem)
      case .tooLarge: throw .badAnswer("\(host): \(error)")
      case .interrupted, .timedOut:
        throw .connection(host: host, problem: "\(error)", isLasting: false)
      case .invalidRequest, .unreachable, .cancelled, .shutDown:
        throw .connection(host: host, problem: "\(error)", isLasting: true)
      }
    }
  }

  /// Attempts a thing a few times.
  ///
  /// - Parameter progress: How far it has come; where an attempt comes a good bit further, those before it don't count.
  func retrying<Value: Sendable>(
    progress: () -> Int = { 0 }, _ body: () async throws(HubError) -> Value
  ) async throws(HubError) -> Value {
    var failures = 0
    var mark = progress()
    while true {
      do {
        return try await body()
      } catch {
        // A mebibyte at least, so that the number of attempts has a bound.
        if progress() - mark >= 1 << 20 {
          failures = 0
          mark = progress()
        }
        guard let rest = error.rest(after: failures), (try? await pause(rest)) != nil else {
          throw error
        }
        failures += 1
      }
    }
  }
}
