import Kernels
import Library

extension ResidencyOptions {
  /// What the configuration says of how long models stay.
  ///
  /// - Parameter ids: Of all experts.
  package init(_ configuration: Configuration, ids: [String]) {
    self.init()
    let models = configuration.models
    if models.memoryBytes > 0 {
      memoryBytes = models.memoryBytes
    } else if let total = SystemMemory.current.total {
      memoryBytes = total / 5 * 4
    }
    if models.unloadAfterSeconds > 0 { unloadAfter = .seconds(models.unloadAfterSeconds) }
    kept = Set(models.preload == ["all"] ? ids : models.preload)
  }
}
