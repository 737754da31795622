import HTTPClient
import Routing
import Synchronization

/// The remote experts of a library: one client for all, and what is known of each endpoint's health, whether the expert
/// has been asked for yet or not.
package final class RemoteExperts: Sendable {
  private let health: [String: EndpointHealth]
  private let client: SharedClient

  /// One for all, those of cards that were read later too; made when it is first needed.
  private final class SharedClient: Sendable {
    let value = Mutex<HTTPClient?>(nil)
  }

  /// - Parameter earlier: Those of cards that these take the place of: of an endpoint that is still the same, what is known
  ///   of its health stays.
  package init(
    _ manifests: [ExpertManifest],
    after earlier: (experts: RemoteExperts, manifests: [ExpertManifest])? = nil
  ) {
    var health: [String: EndpointHealth] = [:]
    for manifest in manifests where manifest.endpoint != nil {
      let id = manifest.card.id
      let before = earlier?.manifests.first { $0.card.id == id }
      let known = before?.endpoint == manifest.endpoint ? earlier?.experts.health[id] : nil
      health[id] = known ?? EndpointHealth()
    }
    self.health = health
    client = earlier?.experts.client ?? SharedClient()
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
    try client.value.withLock { client throws(HTTPClientError) in
      if let client { return client }
      let made = try HTTPClient()
      client = made
      return made
    }
  }

  /// Ends what still runs.
  func shutDown() {
    client.value.withLock { client in
      client?.shutDown()
      client = nil
    }
  }
}
