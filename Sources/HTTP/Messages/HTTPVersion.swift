/// The versions that this server speaks. A request of a later 1.x is served as 1.1, any other
/// version is refused with 505.
package enum HTTPVersion: String, Hashable, Sendable {
  case http10 = "HTTP/1.0"
  case http11 = "HTTP/1.1"
}
