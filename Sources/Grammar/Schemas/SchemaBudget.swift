/// What the schemas of one request may cost together. A few hundred bytes that refer to each other can mean as much as one
/// likes.
final class SchemaBudget {
  /// Bytes of schemas that may be looked at, some tenths of a second.
  var left = 32 << 20
}
