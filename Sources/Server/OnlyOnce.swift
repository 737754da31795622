import Synchronization

/// Tells the first caller from all later ones.
final class OnlyOnce: Sendable {
  private let isTaken = Atomic(false)

  func isFirst() -> Bool { !isTaken.exchange(true, ordering: .acquiringAndReleasing) }
}
