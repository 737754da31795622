import Foundation
import Library

/// The real models under the package root's `models/`, which `make models` fetches.
enum Models {
  static let directory = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "models").path

  static let smolLM = directory + "/smollm2-135m"
  static let gemma = directory + "/gemma3-270m"
  static let miniLM = directory + "/minilm-l6-v2"

  static func loader() throws -> LocalExpertLoader {
    var options = ComputeOptions()
    options.threads = 2
    options.keyValueBytes = 128 << 20
    return try LocalExpertLoader(options)
  }
}
