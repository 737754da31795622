import HTTP
import JSON
import Library
import Routing
import Thalamus

/// `/v1/models` as Anthropic's clients read it: what can answer a message.
struct AnthropicModels: Sendable {
  let service: ThalamusService

  private static let limits = 1...1000

  /// `auto` first, the names that the configuration gives last.
  private var names: [String] { ["auto"] + service.cards.map(\.id) + service.aliases.names }

  func list(_ request: HTTPRequest) throws -> HTTPResponse {
    let query = Dictionary(request.query.map { ($0.name, $0.value) }) { $1 }
    var names = self.names
    if let id = query["after_id"] { names = Array(names.drop { $0 != id }.dropFirst()) }
    let last = query["before_id"]
    if let last { names = Array(names.prefix { $0 != last }) }
    var hasMore = false
    if let text = query["limit"] {
      guard let limit = Int(text), Self.limits.contains(limit) else {
        throw APIError.badRequest(
          "'limit' must be \(Self.limits.lowerBound) to \(Self.limits.upperBound)", param: "limit")
      }
      hasMore = names.count > limit
      names = Array(last == nil ? names.prefix(limit) : names.suffix(limit))
    }
    return .json(
      JSONValue.object([
        ("data", .array(names.map(model))), ("has_more", .bool(hasMore)),
        ("first_id", names.first.map { .string($0) } ?? .null),
        ("last_id", names.last.map { .string($0) } ?? .null),
      ]).json)
  }

  func one(_ id: String) throws -> HTTPResponse {
    guard names.contains(id) else { throw LibraryError.unknownExpert(id: id, known: names) }
    return .json(model(id).json)
  }

  private func model(_ name: String) -> JSONValue {
    let card = (try? service.library.manifest(service.aliases.model(name)))?.card
    // An alias is shown by its own name: which model it means is this server's affair.
    let title = card.map { $0.id == name ? $0.name : name } ?? name
    var pairs: [(key: String, value: JSONValue)] = [
      ("type", .string("model")), ("id", .string(name)), ("display_name", .string(title)),
      // Anthropic's word for a date that is not known is the first of all.
      ("created_at", .string("\(card?.released?.description ?? "1970-01-01")T00:00:00Z")),
      ("lifecycle", .string("active")),
    ]
    if let length = card?.contextLength { pairs.append(("max_input_tokens", .int(length))) }
    return .object(pairs)
  }
}
