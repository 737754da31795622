import DecisionLog
import Foundation
import Server
import Testing

@Suite struct DecisionReplyTests {
  private func json(_ record: DecisionRecord) throws -> [String: Any] {
    try object(JSONCoding.encode(DecisionReply(record: record)))
  }

  @Test func columnsBecomeFields() throws {
    var record = DecisionRecord(
      id: "018f", timeMilliseconds: 1_769_860_800_250, promptText: "Hi", promptSHA256: "abc",
      promptBytes: 2, expert: "e", strategy: "ridge", routerVersion: "ridge-1",
      flagsJSON: #"{"in_force":[{"goal":"size","weight":0.5}],"ignored":[]}"#,
      constraintsJSON: #"[{"constraint":"local_only","value":"true"}]"#,
      expertsJSON: #"[{"expert":"e","predicted_loss":1.25,"eligible":true,"n":9007199254740993}]"#,
      decisionMilliseconds: 1.5, status: .completed, promptTokens: 7)
    record.completionTokens = 3
    record.finishReason = "stop"
    let reply = try json(record)
    #expect(reply["id"] as? String == "018f")
    #expect(reply["time"] as? String == "2026-01-31T12:00:00.250Z")
    #expect(reply["prompt"] as? String == "Hi")
    #expect(reply["prompt_bytes"] as? Int == 2)
    #expect(reply["status"] as? String == "completed")
    #expect(reply["prompt_tokens"] as? Int == 7)
    #expect(reply["completion_tokens"] as? Int == 3)
    #expect(reply["finish_reason"] as? String == "stop")
    #expect(reply["decision_ms"] as? Double == 1.5)
    let experts = try #require(reply["experts"] as? [[String: Any]])
    #expect(experts.first?["predicted_loss"] as? Double == 1.25)
    #expect(experts.first?["eligible"] as? Bool == true)
    #expect(experts.first?["n"] as? Int64 == 9_007_199_254_740_993)
    let flags = try #require(reply["flags"] as? [String: Any])
    #expect((flags["in_force"] as? [[String: Any]])?.first?["weight"] as? Double == 0.5)
    #expect((reply["constraints"] as? [[String: Any]])?.count == 1)
  }

  @Test func whatIsNotKnownIsLeftOut() throws {
    let reply = try json(
      DecisionRecord(
        id: "1", timeMilliseconds: 0, promptText: nil, promptSHA256: nil, promptBytes: 0,
        expert: "e", strategy: "s", decisionMilliseconds: 0))
    for key in ["prompt", "prompt_sha256", "error", "completion_tokens", "router_version"] {
      #expect(reply[key] == nil, "\(key)")
    }
    #expect(reply["status"] as? String == "pending")
  }

  @Test func damagedColumnIsNull() throws {
    let reply = try json(
      DecisionRecord(
        id: "1", timeMilliseconds: 0, promptText: nil, promptSHA256: nil, promptBytes: 0,
        expert: "e", strategy: "s", flagsJSON: "{broken", decisionMilliseconds: 0))
    #expect(reply["flags"] is NSNull)
  }
}
