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

  private struct State {
    /// Folder of the model that an expert is on, by the expert's id; none for remote ones.
    var folders: [String: String] = [:]
    var models: [String: Model] = [:]
  }

  private let state = Mutex(State())

  init(_ manifests: [ExpertManifest]) { take(manifests) }

  /// Takes these cards in place of those before.
  func take(_ manifests: [ExpertManifest]) {
    state.withLock { state in
      let known = state.models
      state = State()
      for manifest in manifests where manifest.endpoint == nil {
        let folder = manifest.modelFolder
        state.folders[manifest.card.id] = folder
        guard manifest.addition == nil else { continue }
        state.models[folder] =
          known[folder]
          ?? Model(milliseconds: Double(manifest.weightFileBytes) / Self.bytesPerMillisecond)
      }
    }
  }

  /// How long until an expert can begin; 0 where its model is loaded, or elsewhere.
  func milliseconds(of id: String) -> Double {
    state.withLock { state in
      guard let model = state.folders[id].flatMap({ state.models[$0] }), !model.isLoaded else {
        return 0
      }
      return model.milliseconds
    }
  }

  /// - Parameter time: How long it took; of those on a model that was there, nothing to be learnt.
  func noteLoaded(_ folder: String, in time: Duration) {
    let (seconds, attoseconds) = time.components
    state.withLock { state in
      guard state.models[folder]?.isLoaded == false else { return }
      state.models[folder]?.isLoaded = true
      state.models[folder]?.milliseconds = Double(seconds) * 1e3 + Double(attoseconds) / 1e15
    }
  }

  func noteLetGo(_ folder: String) { state.withLock { $0.models[folder]?.isLoaded = false } }
}
