import Foundation
import Generation
import Library
import Routing
import Tokenization

extension ThalamusService {
  /// A tokenizer, and whose it is.
  package struct ExpertTokenizer: Sendable {
    /// The expert; one that is added to a base has its base's.
    package let expert: String
    package let tokenizer: any Tokenizer

    /// Tokens by their ids.
    ///
    /// - Throws: `GenerationError.tokenOutOfRange` for one that the expert does not have.
    package func tokens(_ ids: [Int]) throws(GenerationError) -> [Int32] {
      var tokens: [Int32] = []
      tokens.reserveCapacity(ids.count)
      for id in ids {
        guard (0..<tokenizer.vocabularyCount).contains(id) else {
          throw .tokenOutOfRange(
            token: Int32(clamping: id), vocabularySize: tokenizer.vocabularyCount)
        }
        tokens.append(Int32(id))
      }
      return tokens
    }

    /// The bytes that tokens stand for; of control tokens, their names.
    package func bytes(of tokens: [Int32]) -> [UInt8] { tokens.flatMap(tokenizer.bytes) }
  }

  /// The tokenizer of the expert that a request names, or else would be given to among those that run in this process;
  /// nothing is logged.
  ///
  /// - Throws: ``ServiceError/noTokenizer(expert:)`` for a named expert that runs elsewhere.
  package func tokenizer(for request: RoutingRequest) async throws -> ExpertTokenizer {
    if let named = request.expert { return try await tokenizer(of: named) }
    var request = request
    let local = Set(library.manifests.filter { $0.endpoint == nil }.map(\.card.id))
    request.constraints = request.constraints.tightened(by: Constraints(experts: local))
    return try await tokenizer(of: makeDecision(request).expert)
  }

  /// The tokenizer of an expert.
  package func tokenizer(of id: String) async throws -> ExpertTokenizer {
    if id == encoder.id { throw ServiceError.makesNoText(model: id) }
    try checkKeyAllows(id)
    guard try library.manifest(id).endpoint == nil,
      let expert = try await library.expert(id) as? LocalExpert
    else { throw ServiceError.noTokenizer(expert: id) }
    return ExpertTokenizer(expert: id, tokenizer: expert.tokenizer)
  }

  /// Throws where the asker's key may not ask this expert: no answer is wanted, but its model would be loaded.
  func checkKeyAllows(_ id: String) throws {
    guard let key = APIKey.current else { return }
    let anything = GoalContext(
      promptTokens: 0, maximumOutputTokens: 0, today: CalendarDate(Date()))
    let candidate = Candidate(card: try library.manifest(id).card)
    if let reason = key.constraints.objection(to: candidate, in: anything) {
      throw RoutingError.noEligibleExpert([ExpertIneligibility(expert: id, reason: reason)])
    }
  }
}
