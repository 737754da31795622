import HTTP
import Testing

/// `/metrics` as Prometheus reads it.
@Suite struct MetricsTests {
  @Test func countsWhatWasDone() async throws {
    let server = try await ServerFixture()
    let before = samples(await server.get("/metrics").text)
    #expect(before[#"thalamus_decisions_total{expert="smollm2-135m"}"#] == 0)
    #expect(before[#"thalamus_expert_resident{expert="smollm2-135m"}"#] == 0)
    let named = #""strategy": "single:smollm2-135m""#
    for _ in 0..<2 {
      #expect(
        await server.post("/route", #"{"prompt": "Hi", "max_tokens": 3, \#(named)}"#).status == .ok)
    }
    _ = await server.post("/route", #"{"prompt": "Hi", "generate": false, \#(named)}"#)

    let reply = await server.get("/metrics")
    #expect(reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
    let after = samples(reply.text)
    #expect(after[#"thalamus_answers_total{expert="smollm2-135m",ending="completed"}"#] == 2)
    #expect(after[#"thalamus_completion_tokens_total{expert="smollm2-135m"}"#] == 6)
    #expect(after[#"thalamus_first_token_seconds_count{expert="smollm2-135m"}"#] == 2)
    #expect(after[#"thalamus_first_token_seconds_bucket{expert="smollm2-135m",le="+Inf"}"#] == 2)
    #expect(after[#"thalamus_expert_resident{expert="smollm2-135m"}"#] == 1)
    #expect(after["thalamus_answers_running"] == 0)
    #expect((after[#"thalamus_decisions_total{expert="smollm2-135m"}"#] ?? 0) >= 3)
    #expect((after["process_resident_memory_bytes"] ?? 0) > 1_000_000)
    await server.end()
  }

  /// Every sample by its name and labels; a line that is neither comment nor sample fails.
  private func samples(_ text: String) -> [String: Double] {
    var found: [String: Double] = [:]
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let parts = line.split(separator: " ")
      guard parts.count == 2, let value = Double(parts[1]) else {
        Issue.record("not a sample: \(line)")
        continue
      }
      #expect(found.updateValue(value, forKey: String(parts[0])) == nil, "twice: \(line)")
    }
    return found
  }
}
