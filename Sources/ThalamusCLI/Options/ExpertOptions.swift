import ArgumentParser
import Kernels
import Library
import Routing
import Thalamus

/// How a command computes.
enum KernelChoice: String, ExpressibleByArgument, CaseIterable {
  case generic, fast

  var precision: WeightMatrix.Precision { self == .fast ? .quantized : .float }
}

/// How the key-value cache holds numbers.
enum KVCacheChoice: String, ExpressibleByArgument, CaseIterable {
  case f16, int8

  var type: KVLayout.ElementType { self == .int8 ? .int8 : .f16 }
}

/// Which expert a command runs by itself, and how.
struct ExpertOptions: ParsableArguments {
  @Option(help: "Id of the expert, its folder's name in the models folder.")
  var expert: String

  @Option(
    help: "fast: quantised weights and the best instruction set. generic: dequantised float32.")
  var kernels = KernelChoice.fast

  @Option(help: "Compute threads; 0 is one a core, as models.threads says.")
  var threads = 0

  @Option(help: "How keys and values are held, over what card and configuration say.")
  var kvCacheType: KVCacheChoice?

  @OptionGroup var configuration: ConfigurationOptions

  func load(runningLimit: Int? = nil) async throws -> LocalExpert {
    try await load([expert], runningLimit: runningLimit)[0]
  }

  /// Several experts, which share a base where they have the same.
  func load(
    _ ids: [String], runningLimit: Int? = nil, draftTokens: Int? = nil
  ) async throws -> [LocalExpert] {
    let settings = try configuration.load()
    var compute = ComputeOptions(settings)
    if threads > 0 { compute.threads = threads }
    compute.precision = kernels.precision
    if let kvCacheType { compute.keyValueType = kvCacheType.type }
    if let runningLimit { compute.runningLimit = max(compute.runningLimit, runningLimit) }
    if let draftTokens { compute.draftTokens = draftTokens }
    let cards = try LibraryCards(directory: settings.models.directory)
    let loader = try LocalExpertLoader(compute)
    var experts: [LocalExpert] = []
    for id in ids {
      var manifest = try cards.manifest(id)
      if let kvCacheType, manifest.addition == nil { manifest.keyValueType = kvCacheType.type }
      experts.append(try await loader.load(manifest))
    }
    return experts
  }
}
