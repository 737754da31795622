import HTTPClient
import Routing
import Synchronization

/// The remote experts of a library: one client for all, and what is known of each endpoint's health, whether the expert
/// has been asked for yet or not.
package final class RemoteExperts: Sendable {
  private let health: [String: EndpointHealth]
  private let client = Mutex<HTTPClient?>(nil)

  package init(_ manifests: [ExpertManifest]) {
    var health: [String: EndpointHealth] = [:]
    for manifest in manifests where manifest.endpoint != nil {
      health[manifest.card.id] = EndpointHealth()
    }
    self.health = health
  }

  /// Why an expert's endpoint is not to be asked now; nil where it may be.
  func obstacle(to id: String) -> String? { health[id]?.obstacle }

  /// The expert of a card with an endpoint. Nothing is sent.
  package func expert(
    _ manifest: ExpertManifest, _ endpoint: Endpoint
  ) throws(LibraryError) -> RemoteExpert {
    let id = manifest.card.id
    do throws(HTTPClientError) {
      return RemoteExpert(
        card: manifest.card, endpoint: endpoint, health: health[id] ?? EndpointHealth(),
        client: try sharedClient())
    } catch {
      throw .unloadable(expert: id, problem: error.description)
    }
  }

  private func sharedClient() throws(HTTPClientError) -> HTTPClient {
    try client.withLock { client throws(HTTPClientError) in
      if let client { return client }
      let made = try HTTPClient()
      client = made
      return made
    }
  }

  /// Ends what still runs.
  func shutDown() {
    client.withLock { client in
      client?.shutDown()
      client = nil
    }
  }
}
