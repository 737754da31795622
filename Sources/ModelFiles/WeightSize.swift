/// How large a source's weights are, before any of them is read.
package struct WeightSize: Sendable, Equatable {
  /// As the files hold them.
  package private(set) var bytes = 0
  package private(set) var elements = 0
  /// Whether some of them are of experts, of which a token meets only a few.
  package var hasExperts = false

  package init(hasExperts: Bool = false) { self.hasExperts = hasExperts }

  /// Adds a tensor. What a file says of sizes may be absurd, and has its own error elsewhere.
  package mutating func add(bytes: Int, elements: Int) {
    self.bytes = self.bytes.addingReportingOverflow(max(0, bytes)).partialValue
    self.elements = self.elements.addingReportingOverflow(max(0, elements)).partialValue
  }
}
