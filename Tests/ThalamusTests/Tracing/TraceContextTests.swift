import Testing
import Thalamus

@Suite struct TraceContextTests {
  private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
  private static let span = "00f067aa0ba902b7"

  @Test func whatAHeaderSays() throws {
    let context = try #require(TraceContext(traceparent: "00-\(Self.trace)-\(Self.span)-01"))
    #expect(context == TraceContext(traceID: Self.trace, spanID: Self.span, isSampled: true))
    #expect(context.traceparent(span: "b7ad6b7169203331") == "00-\(Self.trace)-b7ad6b7169203331-01")
    let unkept = try #require(TraceContext(traceparent: "00-\(Self.trace)-\(Self.span)-00"))
    #expect(!unkept.isSampled)
    #expect(unkept.traceparent(span: Self.span).hasSuffix("-00"))
    // A later version, of which this much is known.
    #expect(TraceContext(traceparent: "01-\(Self.trace)-\(Self.span)-03-more")?.isSampled == true)
  }

  @Test(arguments: [
    "", "00", "00-\(trace)-\(span)", "00-\(trace)-\(span)-01-more", "ff-\(trace)-\(span)-01",
    "00-\(trace.uppercased())-\(span)-01", "00-\(trace)x-\(span)-01", "00-\(trace)-\(span)-1",
    "00-00000000000000000000000000000000-\(span)-01", "00-\(trace)-0000000000000000-01",
    "0-\(trace)-\(span)-01", "00-\(trace)-\(span)-zz",
  ])
  func whatIsNone(header: String) {
    #expect(TraceContext(traceparent: header) == nil)
  }

  @Test func newIDs() {
    let traces = (0..<100).map { _ in TraceContext.root() }
    #expect(Set(traces.map(\.traceID)).count == 100)
    for trace in traces {
      let header = trace.traceparent(span: TraceContext.newSpanID())
      #expect(TraceContext(traceparent: header)?.traceID == trace.traceID)
    }
  }
}
