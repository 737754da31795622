import Foundation

extension Date {
  /// As replies have it: `2026-01-31T12:00:00.250Z`.
  var jsonText: String {
    formatted(
      .iso8601.year().month().day().time(includingFractionalSeconds: true)
        .timeZone(separator: .omitted))
  }
}
