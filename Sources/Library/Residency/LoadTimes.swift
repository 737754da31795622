import Synchronization

/// How long experts take to be loaded, so that who wants a quick answer is not sent to one that has to be.
final class LoadTimes: Sendable {
  private struct Model {
    var isLoaded = false
    /// Measured, or else by the size of its files.
    var milliseconds: Double
  }

  /// Bytes of weights that are read and packed in a millisecond, until it has been measured: half a gigabyte a second.
  private static let bytesPerMillisecond = 500_000.0

  /// Folder of the model that an expert is on, by the expert's id; none for remote ones.
  private let folders: [String: String]
  private let models: Mutex<[String: Model]>

  init(_ manifests: [ExpertManifest]) {
    var folders: [String: String] = [:]
    var models: [String: Model] = [:]
    for manifest in manifests where manifest.endpoint == nil {
      folders[manifest.card.id] = manifest.modelFolder
      guard manifest.addition == nil else { continue }
      models[manifest.modelFolder] = Model(
        milliseconds: Double(manifest.weightFileBytes) / Self.bytesPerMillisecond)
    }
    self.folders = folders
    self.models = Mutex(models)
  }

  /// How long until an expert can begin; 0 where its model is loaded, or elsewhere.
  func milliseconds(of id: String) -> Double {
    guard let folder = folders[id] else { return 0 }
    return models.withLock { models in
      guard let model = models[folder], !model.isLoaded else { return 0 }
      return model.milliseconds
    }
  }

  /// - Parameter time: How long it took; of those on a model that was there, nothing to be learnt.
  func noteLoaded(_ folder: String, in time: Duration) {
    let (seconds, attoseconds) = time.components
    models.withLock { models in
      guard models[folder]?.isLoaded == false else { return }
      models[folder]?.isLoaded = true
      models[folder]?.milliseconds = Double(seconds) * 1e3 + Double(attoseconds) / 1e15
    }
  }

  func noteLetGo(_ folder: String) { models.withLock { $0[folder]?.isLoaded = false } }
}
