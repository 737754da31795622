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
  /// The key that the request came with; nil where it had none with a name.
  package let key: APIKey?
  /// US dollars that the chosen expert's answer is expected to cost.
  package let expectedCostUSD: Double
  /// Where it stands in a trace; nil where none is kept.
  package let trace: DecisionTrace?
  /// What was found of each expert, for the reply and for the log: written once.
  package let expertsJSON: [UInt8]

  init(
    id: String, time: Date, prompt: PreparedPrompt, routing: RoutingDecision,
    embeddingMilliseconds: Double, key: APIKey? = nil, expectedCostUSD: Double = 0,
    trace: DecisionTrace? = nil
  ) {
    self.id = id
    self.time = time
    self.prompt = prompt
    self.routing = routing
    self.embeddingMilliseconds = embeddingMilliseconds
    self.key = key
    self.expectedCostUSD = expectedCostUSD
    self.trace = trace
    expertsJSON = routing.expertsJSON
  }

  package var expert: String { routing.expert }
}
