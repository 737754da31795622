import HTTP
import Thalamus

/// `/healthz`: the process answers. `/readyz`: it can route.
enum HealthRoutes {
  static let alive = HTTPResponse.text("ok\n")

  private struct Readiness: Encodable {
    let ready: Bool
    let experts: [String: String]
    let encoder: String
    let router: String
    let decision_log: String
  }

  static func ready(_ service: ThalamusService) async -> HTTPResponse {
    let state = await service.readiness()
    return JSONCoding.response(
      Readiness(
        ready: state.isReady, experts: state.experts, encoder: state.encoder,
        router: state.router, decision_log: state.decisionLog),
      status: state.isReady ? .ok : .serviceUnavailable)
  }
}
