import CCurl
import Foundation

/// The header `Retry-After`: for how long a server wants to be left alone.
package enum RetryAfter {
  /// Seconds from now; nil for what is neither a number of seconds nor a date. A date that is over asks for nothing, 0.
  ///
  /// - Parameters:
  ///   - text: The header's value.
  ///   - date: The header `Date` of the same response: the clock that a date is told by.
  ///   - now: Seconds since 1970, where the response has no date.
  package static func seconds(
    _ text: String, date: String? = nil, now: Int = time(nil)
  ) -> Int? {
    if let seconds = Int(text) { return seconds >= 0 ? seconds : nil }
    // What is no number has a letter in each of HTTP's three forms of a date; libcurl would take less.
    guard text.utf8.contains(where: { ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A }),
      let until = instant(text)
    else { return nil }
    return max(0, until - (date.flatMap(instant) ?? now))
  }

  private static func instant(_ text: String) -> Int? {
    let seconds = Int(curl_getdate(text, nil))
    return seconds >= 0 ? seconds : nil
  }
}

extension HTTPClientResponse {
  /// For how long the server wants to be left alone, in seconds; nil where it does not say.
  package var retryAfterSeconds: Int? {
    headers["retry-after"].flatMap { RetryAfter.seconds($0, date: headers["date"]) }
  }
}
