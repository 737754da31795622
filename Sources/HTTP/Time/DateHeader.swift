import Foundation

/// The `Date` header's line, made once a second.
package struct DateHeader {
  private var second: time_t = -1
  private var line: [UInt8] = []

  /// `Date: Tue, 15 Nov 1994 08:12:31 GMT` and line end, for the current second.
  mutating func current() -> [UInt8] {
    var now = time_t()
    time(&now)
    if now != second {
      second = now
      line = Self.line(secondsSinceEpoch: now)
    }
    return line
  }

  /// The line for a point in time. By hand: `strftime` would name days in the locale's language.
  package static func line(secondsSinceEpoch: time_t) -> [UInt8] {
    var time = secondsSinceEpoch
    var parts = tm()
    gmtime_r(&time, &parts)
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let date = "\(days[Int(parts.tm_wday) % 7]), \(two(parts.tm_mday))"
    let month = "\(months[Int(parts.tm_mon) % 12]) \(1900 + Int(parts.tm_year))"
    let clock = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    return Array("Date: \(date) \(month) \(clock) GMT\r\n".utf8)
  }
}
