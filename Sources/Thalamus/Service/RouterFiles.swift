import Foundation
import Routing

/// Trained routers on disk: `models/router/<strategy>/router.json` and its weights.
package struct RouterFiles: Sendable {
  package let directory: String

  package init(directory: String) {
    self.directory = directory
  }

  package init(_ configuration: Configuration) {
    self.init(
      directory: configuration.models.directory + "/" + configuration.router.directory)
  }

  private func folder(_ strategy: RoutingStrategy) -> URL {
    URL(filePath: directory).appending(path: strategy.name)
  }

  /// The router of a strategy; nil where none was trained.
  package func load(_ strategy: RoutingStrategy) throws -> LoadedRouter? {
    let folder = folder(strategy)
    let manifest = folder.appending(path: RouterArchive.manifestName)
    guard FileManager.default.fileExists(atPath: manifest.path) else { return nil }
    return try RouterArchive.decode(
      manifest: try Data(contentsOf: manifest),
      weights: try Data(contentsOf: folder.appending(path: RouterArchive.weightsName)))
  }

  /// Writes a router in place of the strategy's earlier one.
  package func save(manifest: Data, weights: Data, strategy: RoutingStrategy) throws {
    let folder = folder(strategy)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try weights.write(to: folder.appending(path: RouterArchive.weightsName), options: .atomic)
    try manifest.write(to: folder.appending(path: RouterArchive.manifestName), options: .atomic)
  }
}
