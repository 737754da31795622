import DecisionLog
import Foundation

/// A logged decision, as `/decisions` shows it: columns as fields, JSON columns as JSON.
package struct DecisionReply: Encodable {
  let record: DecisionRecord
  /// What callers said of its answer, the latest last; empty in a list of decisions.
  let feedback: [FeedbackRecord]

  package init(record: DecisionRecord, feedback: [FeedbackRecord] = []) {
    self.record = record
    self.feedback = feedback
  }

  private struct Feedback: Encodable {
    let time: String
    let score: Double
    let comment: String?
  }

  private static func text(ofMilliseconds time: Int64) -> String {
    Date(timeIntervalSince1970: Double(time) / 1000).jsonText
  }

  private enum CodingKeys: String, CodingKey {
    case id, time, prompt, expert, strategy, status, error, experts, flags, constraints, feedback
    case promptSHA256 = "prompt_sha256"
    case promptBytes = "prompt_bytes"
    case promptIsCut = "prompt_cut"
    case routerVersion = "router_version"
    case decisionMilliseconds = "decision_ms"
    case promptTokens = "prompt_tokens"
    case completionTokens = "completion_tokens"
    case firstTokenMilliseconds = "first_token_ms"
    case totalMilliseconds = "total_ms"
    case finishReason = "finish_reason"
    case outputCharacters = "output_characters"
    case costUSD = "cost_usd"
    case keyName = "key_name"
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(record.id, forKey: .id)
    try values.encode(Self.text(ofMilliseconds: record.timeMilliseconds), forKey: .time)
    try values.encodeIfPresent(record.promptText, forKey: .prompt)
    if let kept = record.promptText?.utf8.count, kept < record.promptBytes {
      // Only the beginning is shown: of a long prompt in a list, of a very long one anywhere.
      try values.encode(true, forKey: .promptIsCut)
    }
    try values.encodeIfPresent(record.promptSHA256, forKey: .promptSHA256)
    try values.encode(record.promptBytes, forKey: .promptBytes)
    try values.encode(record.expert, forKey: .expert)
    try values.encode(record.strategy, forKey: .strategy)
    try values.encodeIfPresent(record.routerVersion, forKey: .routerVersion)
    try values.encode(record.status, forKey: .status)
    try values.encode(record.decisionMilliseconds, forKey: .decisionMilliseconds)
    try values.encodeIfPresent(record.promptTokens, forKey: .promptTokens)
    try values.encodeIfPresent(record.completionTokens, forKey: .completionTokens)
    try values.encodeIfPresent(record.firstTokenMilliseconds, forKey: .firstTokenMilliseconds)
    try values.encodeIfPresent(record.totalMilliseconds, forKey: .totalMilliseconds)
    try values.encodeIfPresent(record.finishReason, forKey: .finishReason)
    try values.encodeIfPresent(record.error, forKey: .error)
    try values.encodeIfPresent(record.outputCharacters, forKey: .outputCharacters)
    try values.encodeIfPresent(record.costUSD, forKey: .costUSD)
    try values.encodeIfPresent(record.keyName, forKey: .keyName)
    try values.encode(JSONText(record.expertsJSON), forKey: .experts)
    try values.encode(JSONText(record.flagsJSON), forKey: .flags)
    try values.encode(JSONText(record.constraintsJSON), forKey: .constraints)
    if !feedback.isEmpty {
      try values.encode(
        feedback.map { said in
          Feedback(
            time: Self.text(ofMilliseconds: said.timeMilliseconds), score: said.score,
            comment: said.comment)
        }, forKey: .feedback)
    }
  }
}

/// JSON that was stored as text, encoded as what it says.
package struct JSONText: Encodable {
  private let value: LoggedValue

  package init(_ text: String) {
    value = (try? JSONDecoder().decode(LoggedValue.self, from: Data(text.utf8))) ?? .null
  }

  package func encode(to encoder: any Encoder) throws { try value.encode(to: encoder) }
}

/// Any JSON value.
enum LoggedValue: Codable, Equatable, Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([LoggedValue])
  case object([String: LoggedValue])

  init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let bool = try? value.decode(Bool.self) {
      self = .bool(bool)
    } else if let integer = try? value.decode(Int64.self) {
      self = .integer(integer)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else if let string = try? value.decode(String.self) {
      self = .string(string)
    } else if let array = try? value.decode([LoggedValue].self) {
      self = .array(array)
    } else {
      self = .object(try value.decode([String: LoggedValue].self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let bool): try container.encode(bool)
    case .integer(let integer): try container.encode(integer)
    case .number(let number): try container.encode(number)
    case .string(let string): try container.encode(string)
    case .array(let array): try container.encode(array)
    case .object(let object): try container.encode(object)
    }
  }
}
