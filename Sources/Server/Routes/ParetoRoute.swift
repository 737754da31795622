import HTTP
import Routing
import Thalamus

/// `/pareto`: predicted loss against a goal for every expert, of one prompt or of the log.
///
/// JSON by default; `Accept: image/svg+xml` (or `format=svg`) a picture, `text/html` a page.
struct ParetoRoute: Sendable {
  let service: ThalamusService

  private struct Body: Decodable {
    let prompt: String?
    let goal: String?
    let since: String?
    let constraints: Constraints?
    let strategy: String?
    let format: String?

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case prompt, goal, since, constraints, strategy, format
    }

    init(from decoder: any Decoder) throws {
      try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue))
      let values = try decoder.container(keyedBy: CodingKeys.self)
      prompt = try values.decodeIfPresent(String.self, forKey: .prompt)
      goal = try values.decodeIfPresent(String.self, forKey: .goal)
      since = try values.decodeIfPresent(String.self, forKey: .since)
      constraints = try values.decodeIfPresent(Constraints.self, forKey: .constraints)
      strategy = try values.decodeIfPresent(String.self, forKey: .strategy)
      format = try values.decodeIfPresent(String.self, forKey: .format)
    }
  }

  private enum Format { case json, svg, html }

  private struct Reply: Encodable {
    let report: ParetoReport
    let prompt: String?
    let since: String?
    let decisions: Int?

    private enum CodingKeys: String, CodingKey { case prompt, since, decisions }

    func encode(to encoder: any Encoder) throws {
      try report.encode(to: encoder)
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encodeIfPresent(prompt, forKey: .prompt)
      try values.encodeIfPresent(since, forKey: .since)
      try values.encodeIfPresent(decisions, forKey: .decisions)
    }
  }

  func handle(_ request: HTTPRequest) async throws -> HTTPResponse {
    let known = ["prompt", "goal", "since", "strategy", "format"]
    for (name, _) in request.query where !known.contains(name) {
      throw APIError.badRequest(
        "unknown parameter '\(name.prefix(40))'; known: \(known.joined(separator: ", "))",
        code: "unknown_key", param: String(name.prefix(40)))
    }
    let body =
      request.method == .post ? try JSONCoding.decode(Body.self, from: request) : nil
    let prompt = body?.prompt ?? request.queryValue("prompt")
    let since = body?.since ?? request.queryValue("since")
    let strategy = body?.strategy ?? request.queryValue("strategy")
    let format = try Self.format(body?.format, of: request)
    let goal = try Self.goal(named: body?.goal ?? request.queryValue("goal") ?? "size")

    let reply: Reply
    if let prompt, !prompt.isEmpty {
      let routing = RoutingRequest(
        input: .prompt(prompt), constraints: body?.constraints ?? Constraints(),
        strategy: strategy.flatMap { $0.isEmpty ? nil : $0 })
      let report = try await service.pareto(routing, goal: goal)
      reply = Reply(report: report, prompt: prompt, since: nil, decisions: nil)
    } else {
      let logged = try await service.pareto(overLogSince: since, goal: goal)
      reply = Reply(
        report: logged.report, prompt: nil, since: since, decisions: logged.decisions)
    }
    switch format {
    case .json:
      return Self.varied(JSONCoding.response(reply))
    case .svg:
      return Self.varied(
        HTTPResponse(
          status: .ok, headers: ["Content-Type": "image/svg+xml; charset=utf-8"],
          body: .bytes(Array(ParetoChart.svg(reply.report).utf8))))
    case .html:
      let page = ParetoPage(
        report: reply.report, prompt: prompt, strategy: strategy, decisions: reply.decisions)
      return Self.varied(
        HTTPResponse(
          status: .ok,
          headers: [
            "Content-Type": "text/html; charset=utf-8",
            // The page is made here, whole: nothing from elsewhere may load or run in it.
            "Content-Security-Policy":
              "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'",
          ],
          body: .bytes(Array(page.html.utf8))))
    }
  }

  private static func varied(_ response: HTTPResponse) -> HTTPResponse {
    var response = response
    response.headers.set("Vary", "Accept")
    return response
  }

  private static func goal(named name: String) throws(APIError) -> Goal {
    let known = Goal.ofExperts.map(\.rawValue)
    if known.contains(name.lowercased()), let goal = Goal(rawValue: name.lowercased()) {
      return goal
    }
    throw .badRequest(
      "unknown goal '\(name.prefix(40))'; known: \(known.joined(separator: ", "))",
      code: "unknown_goal", param: "goal")
  }

  /// The first of the three types that the client names, in the client's order.
  private static func format(
    _ named: String?, of request: HTTPRequest
  ) throws(APIError) -> Format {
    if let asked = named ?? request.queryValue("format") {
      switch asked {
      case "json": return .json
      case "svg": return .svg
      case "html": return .html
      default:
        throw .badRequest(
          "unknown format '\(asked.prefix(40))'; known: json, svg, html", param: "format")
      }
    }
    for item in (request.headers["Accept"] ?? "").split(separator: ",") {
      let type = item.prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
      switch type {
      case "application/json": return .json
      case "image/svg+xml": return .svg
      case "text/html": return .html
      default: continue
      }
    }
    return .json
  }
}
