import Foundation
import Routing

/// One line of a prompts file (JSON Lines): what experts are measured on.
package struct PromptRow: Codable, Sendable {
  package enum Split: String, Codable, Sendable { case train, heldout }

  package var id: String
  package var domain: String
  package var prompt: String
  /// Where there is one, experts are scored on it, given the prompt; else on the prompt.
  package var answer: String?
  /// Whether it stays on this machine: no remote expert is measured on it. Nil: by its flags.
  package var localOnly: Bool?
  /// Nil: by a hash of the prompt.
  package var split: Split?
  /// Loss of each expert in bits per byte; in an outcomes file.
  package var losses: [String: Double]?
  /// Mean number of experts active for a token of the prompt, by the id of the mixture; in an outcomes
  /// file.
  package var activeExperts: [String: Double]?

  private enum CodingKeys: String, CodingKey {
    case id, domain, prompt, answer, split, losses
    case activeExperts = "active_experts"
    case localOnly = "local_only"
  }

  package init(
    id: String, domain: String, prompt: String, answer: String? = nil, split: Split? = nil,
    losses: [String: Double]? = nil
  ) {
    self.id = id
    self.domain = domain
    self.prompt = prompt
    self.answer = answer
    self.split = split
    self.losses = losses
  }

  /// The split, with nil resolved.
  package var effectiveSplit: Split {
    split ?? (HeldOutSplit.holdsOut(prompt) ? .heldout : .train)
  }

  /// The prompt's first words, at most eight characters for each: some languages have no blanks.
  package func firstWords(_ count: Int) -> String {
    prompt.drop(while: \.isWhitespace).prefix(min(count, 1 << 20) * 8)
      .split(whereSeparator: \.isWhitespace).prefix(count).joined(separator: " ")
  }

  /// Tells this prompt and answer from any other.
  package var hash: String {
    SHA256.hex(of: prompt + "\u{0}" + (answer ?? ""))
  }
}

/// Reads and writes such files.
package enum PromptFile {
  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  package static func read(_ path: String) throws -> [PromptRow] {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw Failure(description: "\(path): cannot be read")
    }
    let decoder = JSONDecoder()
    var rows: [PromptRow] = []
    for (index, line) in data.split(separator: 10, omittingEmptySubsequences: false).enumerated()
    where !line.isEmpty {
      do {
        let row = try decoder.decode(PromptRow.self, from: Data(line))
        guard !row.prompt.isEmpty else {
          throw Failure(description: "\(path):\(index + 1): prompt is empty")
        }
        for (expert, loss) in row.losses ?? [:] where !TrainingSet.possibleLosses.contains(loss) {
          throw Failure(
            description: "\(path):\(index + 1): losses.\(expert) is \(loss); expected bits per "
              + "byte, 0 or more")
        }
        for (expert, active) in row.activeExperts ?? [:]
        where !TrainingSet.possibleActiveExperts.contains(Float(active)) {
          throw Failure(
            description: "\(path):\(index + 1): active_experts.\(expert) is \(active); expected 0 "
              + "to \(Int(TrainingSet.possibleActiveExperts.upperBound))")
        }
        rows.append(row)
      } catch let error as DecodingError {
        throw Failure(description: "\(path):\(index + 1): \(error)")
      }
    }
    guard !rows.isEmpty else { throw Failure(description: "\(path): holds no prompts") }
    return rows
  }

  package static func write(_ rows: [PromptRow], to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var data = Data()
    for row in rows { data += try encoder.encode(row) + Data([10]) }
    try data.write(to: URL(filePath: path), options: .atomic)
  }
}
