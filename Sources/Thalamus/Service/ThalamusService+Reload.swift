import Library

extension ThalamusService {
  /// Reads the keys and the experts' cards again. The configuration and the routers are as they were at the start: of a new
  /// expert no router knows.
  package func reload() async {
    keys.reload()
    await reloadExperts()
  }

  /// Reads the cards in the models folder again. Experts that are new, changed or gone are so from the next decision on;
  /// what runs goes on to its end. Where the folder can't be read, or no card in it can be used, all stays as it is.
  private func reloadExperts() async {
    let cards: LibraryCards
    do {
      cards = try LibraryCards(directory: configuration.models.directory)
    } catch {
      return logger.error("the experts stay as they are: \(error)")
    }
    for (id, problem) in cards.problems.sorted(by: { $0.key < $1.key }) {
      logger.error("expert \(id) is left out: \(problem)")
    }
    guard !cards.manifests.isEmpty else {
      return logger.error("the experts stay as they are: no card in the models folder can be used")
    }
    let changes = await library.replace(cards)
    for manifest in library.manifests
    where changes.added.contains(manifest.card.id) || changes.changed.contains(manifest.card.id) {
      Self.warn(of: manifest, library, logger)
    }
    let told = [
      ("new", changes.added), ("changed", changes.changed), ("gone", changes.removed),
    ].filter { !$0.1.isEmpty }.map { "\($0.0): \($0.1.joined(separator: ", "))" }
    logger.info(
      "the experts were read again: \(told.isEmpty ? "nothing has changed" : told.joined(separator: "; "))"
    )
  }
}
