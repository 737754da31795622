import HTTPClient
import Testing

@Suite struct RetryAfterTests {
  /// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110, section 5.6.7.
  private static let example = 784_111_777

  @Test(arguments: [
    ("120", 120), ("0", 0),
    // The three forms that section 5.6.7 has readers accept.
    ("Sun, 06 Nov 1994 08:49:37 GMT", 60), ("Sunday, 06-Nov-94 08:49:37 GMT", 60),
    ("Sun Nov  6 08:49:37 1994", 60), ("Sun, 06 Nov 1994 08:48:00 GMT", 0),
  ])
  func read(text: String, seconds: Int) {
    #expect(RetryAfter.seconds(text, now: Self.example - 60) == seconds)
  }

  @Test(arguments: ["", "-1", "soon", "1.5", "99999999999999999999", "2024-13-45", "\u{0}", "GMT"])
  func unread(text: String) {
    #expect(RetryAfter.seconds(text, now: Self.example) == nil, "\(text)")
  }

  @Test func theServersClockCounts() {
    let found = RetryAfter.seconds(
      "Sun, 06 Nov 1994 08:49:37 GMT", date: "Sun, 06 Nov 1994 08:49:27 GMT", now: 0)
    #expect(found == 10)
    #expect(
      RetryAfter.seconds(
        "Sun, 06 Nov 1994 08:49:37 GMT", date: "yesterday", now: Self.example - 5) == 5)
  }
}
