import ArgumentParser
import Library
import Thalamus

struct EmbedCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "embed", abstract: "Read lines, print each one's sentence embedding as JSON.")

  @Option(help: "The lines; without it, standard input.")
  var file: String?

  @Option(help: "fast: what serves. generic: float32.")
  var kernels = KernelChoice.fast

  @OptionGroup var configuration: ConfigurationOptions

  func run() async throws {
    let settings = try configuration.load()
    let encoder = try await SentenceEncoder.load(
      folder: settings.models.directory + "/" + settings.models.encoder,
      pool: try LocalExpertLoader(ComputeOptions(settings)).computePool,
      precision: kernels.precision)
    let lines = try Output.lines(of: Output.read(file))
    // In groups, so that a long file shows its first vectors soon.
    var start = 0
    while start < lines.count {
      let group = Array(lines[start..<min(start + 64, lines.count)])
      for vector in try await encoder.embed(group).vectors { try Output.json(vector) }
      start += group.count
    }
  }
}
