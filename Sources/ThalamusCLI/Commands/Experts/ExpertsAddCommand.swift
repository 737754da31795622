import ArgumentParser
import DecisionLog
import Foundation
import Library
import Routing
import Thalamus

struct ExpertsAddCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract:
      "Add a GGUF file, a Hugging Face checkpoint, a PEFT adapter on an expert, a model from the Hugging Face hub, or an OpenAI-compatible endpoint, to the library.",
    discussion: """
      With --measure the new expert's loss is measured on the prompts that the router was trained on, \
      and the router is trained again: it then knows the expert. Without, the expert answers when it \
      is named, and the router leaves it alone. An endpoint can be measured where its /completions has echo and \
      logprobs, as vLLM's has; the prompts then go there. For others --loss-ratio says what the router is to expect.

      hf:OWNER/REPO[@REVISION][:QUANTISATION] is fetched from the Hugging Face hub, as is hf:OWNER/REPO/FILE.gguf; \
      hf.co/ and https://huggingface.co/ are other spellings. Without a quantisation it is the first that is there of \
      \(HubSelection.usual.joined(separator: ", ")). A repository without GGUF files is fetched as a checkpoint or an \
      adapter. A GGUF model comes with the mmproj file beside it, by which it reads images. HF_TOKEN, or the token that the hub's own tools keep, opens gated repositories; HF_ENDPOINT names a \
      mirror. What is interrupted goes on when the command is given again.
      """)

  @Argument(
    help:
      "A GGUF file; a folder with config.json, tokenizer.json and model.safetensors; one with adapter_config.json and adapter_model.safetensors; a model's name on the Hugging Face hub, such as hf:Qwen/Qwen3-0.6B-GGUF:Q8_0; or an endpoint's base URL, such as https://api.openai.com/v1."
  )
  var path: String

  @Option(help: "Id of the expert; else the file's or folder's name.")
  var id: String?

  @Option(help: "Id of the expert that an adapter is added to.")
  var base: String?

  @Option(help: "Name for people; else the file's.")
  var name: String?

  @Option(help: "A line of description.")
  var description: String?

  @Option(help: "SPDX identifier; else the file's.")
  var license: String?

  @Option(help: "Day of release, such as 2024-11-01.")
  var released: String?

  @Option(help: "What it is good at, separated by commas.")
  var domains: String?

  @Option(help: "A built-in chat template, or `plain` for a base model; else the file's.")
  var chatTemplate: String?

  @Option(help: "A GGUF model's mmproj file, by which it reads images.")
  var projector: String?

  @Flag(help: "Leave out what reads images for a GGUF model from the hub.")
  var textOnly = false

  @Option(help: "An endpoint's name for the model.")
  var model: String?

  @Option(help: "Environment variable that will hold an endpoint's key.")
  var apiKeyEnv: String?

  @Option(help: "File that will hold an endpoint's key.")
  var apiKeyFile: String?

  @Option(help: "US dollars for a million tokens of prompts.")
  var promptPrice: Double?

  @Option(help: "US dollars for a million tokens of answers.")
  var completionPrice: Double?

  @Option(
    help:
      "Loss to be expected of an endpoint, over the least that the router predicts of any expert: 0.6 is much better, 1 as good."
  )
  var lossRatio: Double?

  @Option(
    help:
      "Where prompts for an endpoint go: this_machine or leaves_machine. Without, a loopback address is this machine; say leaves_machine for a proxy there."
  )
  var runs: String?

  @Option(help: "Tokens of an endpoint's context.")
  var context: Int?

  @Flag(help: "An endpoint's model reads images.")
  var readsImages = false

  @Flag(help: "Link to the file instead of copying it.")
  var link = false

  @Flag(help: "Measure it on the router's prompts and train the router again.")
  var measure = false

  @OptionGroup var options: ConfigurationOptions

  func run() async throws {
    let settings = try options.load()
    let reference = try HubReference(path)
    let isEndpoint =
      reference == nil && ["http://", "https://"].contains { path.lowercased().hasPrefix($0) }
    try checkOptions(isEndpoint: isEndpoint)
    if reference == nil, textOnly {
      throw ValidationError("--text-only is for a model from the hub")
    }
    if reference != nil, link { throw ValidationError("--link is for a file that is here") }
    var details = ExpertInstaller.Details()
    details.id = id
    details.base = base
    details.name = name
    details.description = description
    details.license = license
    details.chatTemplate = chatTemplate
    details.projector = projector
    details.readsText = textOnly
    details.domains =
      domains.map(Names.list) ?? []
    if let released {
      guard let date = CalendarDate(released) else {
        throw CommandFailure("--released '\(released)' is no day such as 2024-11-01")
      }
      details.released = date
    }
    if measure {
      // What measuring needs, before anything is installed.
      _ = try PromptFile.read(Self.outcomesPath(settings))
      guard !settings.log.database.isEmpty else {
        throw CommandFailure("--measure keeps its results in the log's database, and there is none")
      }
    }
    let installer = ExpertInstaller(directory: settings.models.directory)
    if isEndpoint {
      let manifest = try installer.add(endpoint: path, endpointDetails, details: details)
      Output.text("\(manifest.card.id) is added: \(manifest.folder)/expert.yaml")
      if let problem = manifest.endpoint?.keyProblem { Output.note("for now: \(problem)") }
      if manifest.endpoint?.isOpenToReaders == true {
        Output.note("prompts go there by plain http, to be read on the way")
      }
      if measure {
        try OutcomesOptions.check([manifest], settings)
        try await measure(manifest, settings)
      } else if lossRatio == nil {
        Output.text("it answers when named; --loss-ratio or --measure lets the router choose it")
      }
      return
    }
    let manifest =
      if let reference {
        try await HubDownload.add(reference, to: installer, details: details)
      } else {
        try installer.add(path, details: details, transfer: link ? .link : .copy)
      }
    Output.text("\(manifest.card.id) is added: \(manifest.folder)/expert.yaml")
    if manifest.card.readsImages { Output.text("it reads images") }
    guard measure else {
      Output.text(
        "it answers when named; --measure, or `thalamus outcomes` and `thalamus router train`, make "
          + "the router know it")
      return
    }
    try await measure(manifest, settings)
  }

  private var endpointDetails: ExpertInstaller.EndpointDetails {
    var details = ExpertInstaller.EndpointDetails()
    details.model = model
    details.keyVariable = apiKeyEnv
    details.keyFile = apiKeyFile
    details.promptPrice = promptPrice
    details.completionPrice = completionPrice
    details.expectedLossRatio = lossRatio
    details.contextLength = context
    details.runs = runs
    details.readsImages = readsImages
    return details
  }

  /// Options that mean nothing for what is added are a mistake.
  private func checkOptions(isEndpoint: Bool) throws {
    let ofEndpoints: [(String, Bool)] = [
      ("--model", model != nil), ("--api-key-env", apiKeyEnv != nil),
      ("--api-key-file", apiKeyFile != nil), ("--prompt-price", promptPrice != nil),
      ("--completion-price", completionPrice != nil), ("--loss-ratio", lossRatio != nil),
      ("--context", context != nil), ("--runs", runs != nil),
      ("--reads-images", readsImages),
    ]
    let ofFiles: [(String, Bool)] = [
      ("--base", base != nil), ("--chat-template", chatTemplate != nil), ("--link", link),
      ("--projector", projector != nil),
    ]
    guard let (name, _) = (isEndpoint ? ofFiles : ofEndpoints).first(where: { $0.1 }) else {
      return
    }
    throw ValidationError(
      isEndpoint ? "\(name) is not for an endpoint" : "\(name) is for an endpoint's URL")
  }

  /// Measures the expert on the router's own prompts, and trains the router on all outcomes.
  private func measure(_ manifest: ExpertManifest, _ settings: Configuration) async throws {
    let path = Self.outcomesPath(settings)
    let before = try Output.read(path)
    var rows = try PromptFile.read(path)
    let log = DecisionLog(.init(path: settings.log.database))
    if let problem = log.health { throw CommandFailure("\(problem)") }
    let collection = OutcomeCollection(
      log: log, loader: try LocalExpertLoader(ComputeOptions(settings)), manifests: [manifest])
    var bar: ProgressBar?
    let problems = try await collection.run(rows, source: "outcomes.jsonl") { progress in
      if bar == nil { bar = ProgressBar(total: progress.total) }
      bar?.show(progress.done, progress.expert)
    }
    let measured = try await collection.export(rows).reduce(into: [:]) { $0[$1.hash] = $1 }
    try await log.close()
    Output.note(problems)
    guard measured.values.contains(where: { $0.losses?.isEmpty == false }) else {
      throw CommandFailure("nothing could be measured; the router was not trained again")
    }
    for index in rows.indices {
      guard let found = measured[rows[index].hash] else { continue }
      rows[index].losses = (rows[index].losses ?? [:]).merging(found.losses ?? [:]) { $1 }
      guard let active = found.activeExperts else { continue }
      rows[index].activeExperts = (rows[index].activeExperts ?? [:]).merging(active) { $1 }
    }
    try PromptFile.write(rows, to: path)
    var arguments = ["--outcomes", path]
    for (flag, value) in [
      ("--config", options.config), ("--database", options.database), ("--models", options.models),
    ] {
      if let value { arguments += [flag, value] }
    }
    let training = try RouterTrainCommand.parse(arguments)
    do {
      try await training.run()
    } catch {
      // Outcomes that no router can be trained on would stand in the way of the next training too.
      try? Data(before.utf8).write(to: URL(filePath: path), options: .atomic)
      throw error
    }
  }

  private static func outcomesPath(_ settings: Configuration) -> String {
    RouterFiles(settings).directory + "/outcomes.jsonl"
  }
}
