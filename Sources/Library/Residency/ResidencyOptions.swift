/// How long, and in how much memory, experts stay loaded.
package struct ResidencyOptions: Sendable {
  /// Bytes that the models of this process may take together, with their key-value caches. Where the next one doesn't
  /// fit, others are let go; one that is larger than that is loaded when it is alone.
  package var memoryBytes = Int.max
  /// How long a model stays that nobody asks for; nil for ever.
  package var unloadAfter: Duration?
  /// Ids of experts whose models that doesn't hold for.
  package var kept: Set<String> = []
  /// Is told in words what is let go, and why.
  package var report: @Sendable (String) -> Void = { _ in }

  package init() {}
}
