import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// An answer of the server.
struct Reply {
  let status: Int
  let headers: [String: String]
  let data: Data

  var text: String { String(decoding: data, as: UTF8.self) }

  /// The body as JSON.
  var json: JSON { get throws { JSON(try JSONSerialization.jsonObject(with: data)) } }
}

extension RunningServer {
  func get(_ path: String, headers: [String: String] = [:]) async throws -> Reply {
    try await send("GET", path, body: nil, headers: headers)
  }

  /// Posts a JSON text.
  func post(_ path: String, _ body: String, headers: [String: String] = [:]) async throws -> Reply {
    try await send(
      "POST", path, body: Data(body.utf8),
      headers: headers.merging(["Content-Type": "application/json"]) { mine, _ in mine })
  }

  func send(
    _ method: String, _ path: String, body: Data?, headers: [String: String] = [:]
  ) async throws -> Reply {
    guard let url = URL(string: path, relativeTo: baseURL) else { throw URLError(.badURL) }
    var request = URLRequest(url: url, timeoutInterval: 120)
    request.httpMethod = method
    request.httpBody = body
    for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
    let (data, response) = try await URLSession.shared.data(for: request)
    guard let response = response as? HTTPURLResponse else { throw URLError(.badServerResponse) }
    var fields: [String: String] = [:]
    for (name, value) in response.allHeaderFields {
      fields["\(name)".lowercased()] = "\(value)"
    }
    return Reply(status: response.statusCode, headers: fields, data: data)
  }
}

/// A JSON value that tests can walk into.
struct JSON {
  let value: Any?

  init(_ value: Any?) { self.value = value }

  subscript(_ key: String) -> JSON { JSON((value as? [String: Any])?[key]) }
  subscript(_ index: Int) -> JSON {
    guard let array = value as? [Any], array.indices.contains(index) else { return JSON(nil) }
    return JSON(array[index])
  }
  var string: String? { value as? String }
  var double: Double? { (value as? NSNumber)?.doubleValue }
  var int: Int? { (value as? NSNumber)?.intValue }
  var bool: Bool? { value as? Bool }
  var array: [JSON] { (value as? [Any] ?? []).map(JSON.init) }
  var keys: [String] { (value as? [String: Any] ?? [:]).keys.sorted() }
  var isNull: Bool { value is NSNull }
}
