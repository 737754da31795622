import ArgumentParser
import Library
import Routing
import Thalamus

/// Which expert a command runs by itself, and how.
struct ExpertOptions: ParsableArguments {
  enum Kernels: String, ExpressibleByArgument, CaseIterable { case generic, fast }

  @Option(help: "Id of the expert, its folder's name in the models folder.")
  var expert: String

  @Option(
    help: "fast: quantised weights and the best instruction set. generic: dequantised float32.")
  var kernels = Kernels.fast

  @Option(help: "Compute threads; 0 is one a processor.")
  var threads = 0

  @OptionGroup var configuration: ConfigurationOptions

  func load(runningLimit: Int? = nil) async throws -> LocalExpert {
    let settings = try configuration.load()
    var compute = ComputeOptions(settings)
    if threads > 0 { compute.threads = threads }
    compute.precision = kernels == .fast ? .quantized : .float
    if let runningLimit { compute.runningLimit = max(compute.runningLimit, runningLimit) }
    let manifests = try ExpertLibrary.manifests(in: settings.models.directory)
    guard let manifest = manifests.first(where: { $0.card.id == expert }) else {
      throw LibraryError.unknownExpert(id: expert, known: manifests.map(\.card.id))
    }
    return try await LocalExpertLoader(compute).load(manifest)
  }
}
