import Foundation
import Synchronization

/// How many requests a minute each key may send: a bucket that fills evenly and holds a minute's worth, so that a
/// burst after a pause is fine.
package final class RequestRate: Sendable {
  private struct Bucket {
    var tokens: Double
    var filledAt: ContinuousClock.Instant
  }

  private let buckets = Mutex<[String: Bucket]>([:])

  package init() {}

  /// Takes one request of a key from its bucket.
  ///
  /// - Returns: Seconds until the next one may come, where this one is too many; else nil.
  package func take(_ key: APIKey, at now: ContinuousClock.Instant = .now) -> Int? {
    guard let limit = key.requestsPerMinute.map(Double.init) else { return nil }
    return buckets.withLock { buckets in
      var bucket = buckets[key.name] ?? Bucket(tokens: limit, filledAt: now)
      let seconds = max(0, bucket.filledAt.duration(to: now).milliseconds / 1000)
      bucket.tokens = min(limit, bucket.tokens + seconds * limit / 60)
      bucket.filledAt = max(bucket.filledAt, now)
      defer { buckets[key.name] = bucket }
      guard bucket.tokens >= 1 else {
        return max(1, Int(((1 - bucket.tokens) * 60 / limit).rounded(.up)))
      }
      bucket.tokens -= 1
      return nil
    }
  }
}
