import Foundation
import Kernels
import ModelFiles

/// The form in which mixtures of adapters are kept: a folder with two files.
///
/// `mixture.json`:
/// ```json
/// {"version": 1,
///  "adapters": ["../smollm2-135m-code", "smollm2-135m-law", "expert-2"],
///  "modules": ["gate_proj", "up_proj", "down_proj"],
///  "gates": {"mlp": {"scores": "linear", "probability": "softmax",
///                    "selection": {"kind": "entropy_switch"}, "weighting": "raw"}}}
/// ```
/// - `adapters`: the experts in the order of the gates' rows. Each is a folder in PEFT's form (or its
///   safetensors file), relative to this one; or, in a library, the id of an expert on the same base.
/// - `modules`: the modules that the mixture changes; what the adapters hold of others is left out.
///   Where it is missing, all that they hold.
/// - `gates`: a `GateDescription` for each place: `mlp` for gate_proj, up_proj and down_proj, which
///   reads the norm before the feed-forward block, and `attention` for q_proj, k_proj, v_proj and
///   o_proj, which reads the norm before attention. Each module needs the gate of its place. Gates
///   may be smoothed over a sequence's tokens, by all similarities but attention. With a
///   `bypass_expert`, the base's control tokens get no adapter but the shared ones.
///
/// `gate.safetensors`, for each place and layer N that an adapter changes (F32, F16 or BF16):
/// - `layers.N.mlp.weight`, `layers.N.attention.weight`: (experts, width); with the scores
///   `per_task`, (tasks, experts); none with random ones.
/// - `layers.N.mlp.bias`, `layers.N.attention.bias`: (experts), where a linear gate has one.
///
/// - `merge`, only where all scores are `per_task`, so that the gates know their choice before the
///   pass: `results`, the default, or `parameters`. The chosen experts are merged to one adapter, once
///   for each task (`AdapterMerging`). `results` keeps the formula below; `parameters` (Polytropon, MHR)
///   averages the A's and the B's before the product, for which the ranks of a module must be alike.
///   Then a weight of shape (tasks, splits, experts) gives each part of a module's inputs and outputs
///   weights of its own (MHR). A request without a task gets the uniform row; one with a task that is
///   not there is refused.
///
/// A row's result is y = W x + sum of w[e] · scale[e] · B[e] (A[e] x) over the experts that its gate
/// chose, w their weights and scale the adapter's own alpha / r.
package struct MixtureFile {
  /// The folder of both files.
  package let folder: String
  /// The experts as the file names them, in the order of the gates' rows.
  package let adapters: [String]
  /// Nil for all that the adapters hold.
  let modules: Set<AdaptedModule>?
  let gates: [AdapterGates.Place: GateDescription]
  /// How experts become one adapter before the pass; nil where gates choose token by token.
  let merge: AdapterMerging.Kind?

  static let largestExpertCount = 256
  private static let largestFileBytes = 4 << 20

  var path: String { folder + "/mixture.json" }
  var gatePath: String { folder + "/gate.safetensors" }

  /// Reads and checks `mixture.json`.
  /// - Parameter path: The folder, or the `mixture.json` in it.
  package init(path: String) throws(AdapterError) {
    folder = path.hasSuffix(".json") ? URL(filePath: path).deletingLastPathComponent().path : path
    let path = folder + "/mixture.json"
    guard let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int else {
      throw .unreadable(path: path, reason: "is missing")
    }
    guard size <= Self.largestFileBytes else {
      throw .unreadable(path: path, reason: "\(size) bytes; at most \(Self.largestFileBytes)")
    }
    let content: Content
    do {
      content = try JSONDecoder().decode(
        Content.self, from: Data(contentsOf: URL(filePath: path)))
    } catch let error as DecodingError {
      throw .unreadable(path: path, reason: error.oneLine)
    } catch {
      throw .unreadable(path: path, reason: "\(error)")
    }
    guard content.version == 1 else {
      throw .unsupported(path: path, key: "version", value: "\(content.version)")
    }
    adapters = content.adapters
    guard (1...Self.largestExpertCount).contains(adapters.count) else {
      throw .invalidValue(
        path: path, key: "adapters", value: "\(adapters.count) entries",
        expected: "1 to \(Self.largestExpertCount)")
    }
    for adapter in adapters where adapter.isEmpty || adapter.hasPrefix("/") {
      throw .invalidValue(
        path: path, key: "adapters", value: "\"\(adapter)\"",
        expected: "a folder relative to the mixture's, or an expert's id")
    }
    modules = try Self.modules(content.modules, path: path)
    gates = try Self.gates(content.gates, path: path)
    let isKnown = gates.values.allSatisfy { $0.scores == .perTask && !$0.hasBypassExpert }
    if let merge = content.merge, !isKnown {
      throw .invalidValue(
        path: path, key: "merge", value: merge.rawValue,
        expected: "nothing, or scores per_task in all gates")
    }
    merge = isKnown ? content.merge ?? .results : nil
  }

  private struct Content: Decodable {
    let version: Int
    let adapters: [String]
    let modules: [String]?
    let gates: [String: GateDescription]
    let merge: AdapterMerging.Kind?
  }

  private static func modules(
    _ names: [String]?, path: String
  ) throws(AdapterError) -> Set<AdaptedModule>? {
    guard let names else { return nil }
    var modules: Set<AdaptedModule> = []
    for name in names {
      guard let module = AdaptedModule.allCases.first(where: { $0.name == name }) else {
        let known = AdaptedModule.allCases.map(\.name).joined(separator: ", ")
        throw .invalidValue(
          path: path, key: "modules", value: "\"\(name)\"", expected: "some of \(known)")
      }
      modules.insert(module)
    }
    return modules
  }

  private static func gates(
    _ descriptions: [String: GateDescription], path: String
  ) throws(AdapterError) -> [AdapterGates.Place: GateDescription] {
    var gates: [AdapterGates.Place: GateDescription] = [:]
    for (name, description) in descriptions {
      guard let place = AdapterGates.Place(rawValue: name) else {
        throw .invalidValue(
          path: path, key: "gates", value: "\"\(name)\"", expected: "attention or mlp")
      }
      if description.smoothing?.similarity == .attention {
        throw .unsupported(
          path: path, key: "gates.\(name).smoothing.similarity", value: "attention")
      }
      gates[place] = description
    }
    return gates
  }
}
