import Foundation
import JSON
import Routing
import Yams

/// Cards of remote experts.
extension ExpertManifest {
  /// What a card says of its endpoint.
  struct EndpointKeys: Decodable {
    let endpoint: String?
    let model: String?
    let api_key_env: String?
    let api_key_file: String?
    let max_tokens_field: String?
    let timeout_seconds: Int?

    enum CodingKeys: String, CodingKey, CaseIterable {
      case endpoint, model, api_key_env, api_key_file, max_tokens_field, timeout_seconds
    }

    /// The key under which a card puts more into each request.
    static let requestKey = "request"
  }

  /// The endpoint of a remote expert.
  ///
  /// - Parameter request: What the card puts into each request; nil where it puts nothing.
  static func endpoint(
    _ keys: EndpointKeys, id: String, request: Node?
  ) throws -> Endpoint {
    guard let url = keys.endpoint else {
      throw EndpointProblem(
        message: "kind remote needs endpoint, such as https://api.example.com/v1")
    }
    let source: Endpoint.KeySource?
    switch (keys.api_key_env, keys.api_key_file) {
    case (nil, nil): source = nil
    case (let name?, nil):
      guard name.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) != nil else {
        // A key, perhaps, which must not be shown.
        throw EndpointProblem(
          message: "api_key_env must be the name of an environment variable, not the key itself")
      }
      guard !name.hasPrefix("THALAMUS_") else {
        throw EndpointProblem(
          message: "api_key_env: variables that begin with THALAMUS_ are this server's settings")
      }
      source = .environment(name)
    case (nil, let path?):
      guard path.hasPrefix("/") else {
        throw EndpointProblem(message: "api_key_file must be a path from the root")
      }
      source = .file(path)
    case (.some, .some):
      throw EndpointProblem(message: "api_key_env and api_key_file exclude each other")
    }
    return try Endpoint(
      url: url, model: keys.model ?? id, keySource: source,
      maxTokensField: keys.max_tokens_field ?? "max_tokens",
      bodyFields: try bodyFields(request), timeoutSeconds: keys.timeout_seconds ?? 120)
  }

  private static func bodyFields(_ request: Node?) throws -> [Endpoint.BodyField] {
    guard let request else { return [] }
    guard case .mapping(let mapping) = request else {
      throw EndpointProblem(message: "request must hold fields of the request's body")
    }
    return try mapping.map { key, value in
      let name = key.string ?? "?"
      if value.null != nil { return .init(name: name, json: nil) }
      var json = JSONWriter()
      try write(value.any, to: &json, depth: 0, name: name)
      return .init(name: name, json: json.bytes)
    }
  }

  /// A value of YAML as JSON.
  private static func write(_ value: Any, to json: inout JSONWriter, depth: Int, name: String)
    throws
  {
    guard depth < 32 else { throw EndpointProblem(message: "request: '\(name)' nests too deep") }
    switch value {
    case let value as Bool: json.bool(value)
    case let value as Int: json.raw("\(value)".utf8)
    case let value as Double: json.number(value)
    case let value as String: json.string(value)
    case let value as [Any]:
      var parts: [[UInt8]] = []
      for item in value { parts.append(try written(item, depth: depth, name: name)) }
      json.array(parts) { $0.raw($1) }
    case let value as [AnyHashable: Any]:
      var members: [(String, [UInt8])] = []
      for (key, item) in value {
        members.append(("\(key)", try written(item, depth: depth, name: name)))
      }
      json.object { json in
        for (key, item) in members.sorted(by: { $0.0 < $1.0 }) {
          json.key(key)
          json.raw(item)
        }
      }
    case is NSNull: json.null()
    default: throw EndpointProblem(message: "request: '\(name)' is no value of JSON")
    }
  }

  private static func written(_ value: Any, depth: Int, name: String) throws -> [UInt8] {
    var json = JSONWriter()
    try write(value, to: &json, depth: depth + 1, name: name)
    return json.bytes
  }
}
