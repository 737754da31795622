import Foundation
import Routing

/// A decision as it was made for one request: its identity, its prompt and its reasons.
package struct Decision: Sendable {
  /// Sortable by time; also the key of the log's row.
  package let id: String
  package let time: Date
  package let prompt: PreparedPrompt
  package let routing: RoutingDecision
  /// Of which the encoder took so much.
  package let embeddingMilliseconds: Double

  package var expert: String { routing.expert }
}
