/// Where a request belongs among the spans of those who sent it: the header `traceparent` of W3C's Trace Context
/// (https://www.w3.org/TR/trace-context/).
package struct TraceContext: Sendable, Equatable {
  /// 32 hexadecimal digits, not all 0.
  package let traceID: String
  /// The sender's span, 16 hexadecimal digits; nil where the trace begins here.
  package let spanID: String?
  /// Whether the sender keeps this trace.
  package let isSampled: Bool

  /// That of the request which is being answered; nil where it has none.
  @TaskLocal package static var current: TraceContext?

  package init(traceID: String, spanID: String?, isSampled: Bool = true) {
    self.traceID = traceID
    self.spanID = spanID
    self.isSampled = isSampled
  }

  /// A trace that begins here.
  package static func root() -> TraceContext {
    TraceContext(traceID: randomHex(bytes: 16), spanID: nil)
  }

  /// Reads a header; nil where it is none, which is then as if it had not been sent.
  package init?(traceparent: String) {
    let parts = traceparent.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 4, Self.isHex(parts[0], 2), parts[0] != "ff",
      // Later versions may have more behind; this one has not.
      parts[0] != "00" || parts.count == 4,
      Self.isHex(parts[1], 32), Self.isHex(parts[2], 16), Self.isHex(parts[3], 2),
      parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" }),
      let flags = UInt8(parts[3], radix: 16)
    else { return nil }
    self.init(traceID: String(parts[1]), spanID: String(parts[2]), isSampled: flags & 1 == 1)
  }

  /// The header for whom a span of this trace asks.
  package func traceparent(span: String) -> String {
    "00-\(traceID)-\(span)-\(isSampled ? "01" : "00")"
  }

  /// A new span's id.
  package static func newSpanID() -> String { randomHex(bytes: 8) }

  private static func isHex(_ text: Substring, _ count: Int) -> Bool {
    text.utf8.count == count
      && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
  }

  private static func randomHex(bytes: Int) -> String {
    let digits = Array("0123456789abcdef")
    // All 0 is no id; the last digit sees to it.
    return String((1..<bytes * 2).map { _ in digits.randomElement() ?? "1" })
      + String(digits[Int.random(in: 1...15)])
  }
}
