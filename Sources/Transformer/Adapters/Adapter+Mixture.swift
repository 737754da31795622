import Foundation
import Kernels
import ModelFiles

extension Adapter {
  /// Loads a mixture of adapters; `MixtureFile` describes its form.
  ///
  /// - Parameters:
  ///   - mixturePath: The folder, or the `mixture.json` in it.
  ///   - target: The base of all its adapters.
  ///   - resolve: Gives the adapter of an entry; the folder that an entry's path is relative to is
  ///     the first argument.
  package convenience init(
    mixturePath: String, target: AdapterTarget,
    resolve: (_ folder: String, _ entry: String) throws(AdapterError) -> LowRankAdapter
  ) throws(AdapterError) {
    let file = try MixtureFile(path: mixturePath)
    var experts: [LowRankAdapter] = []
    for entry in file.adapters { experts.append(try resolve(file.folder, entry)) }
    let held = experts.reduce(into: Set<AdaptedModule>()) { $0.formUnion($1.modules) }
    let modules = file.modules?.intersection(held) ?? held
    guard !modules.isEmpty else {
      throw .invalidValue(
        path: file.path, key: "modules", value: "none", expected: "modules that an adapter holds")
    }
    for module in AdaptedModule.allCases where modules.contains(module) {
      let place = AdapterGates.Place(module.input)
      guard file.gates[place] != nil else {
        throw .invalidValue(
          path: file.path, key: "gates.\(place.rawValue)", value: "missing",
          expected: "a gate for \(module.name)")
      }
    }
    let reader = try MixtureGateReader(file, experts: experts, modules: modules, target: target)
    self.init(experts: experts, modules: modules, gates: try reader.gates())
  }

  /// Loads a mixture whose adapters are all in folders relative to its own.
  package convenience init(mixturePath: String, target: AdapterTarget) throws(AdapterError) {
    try self.init(mixturePath: mixturePath, target: target) {
      folder, entry throws(AdapterError) in
      try LowRankAdapter(path: folder + "/" + entry, target: target)
    }
  }
}

/// Makes a mixture's gates from their descriptions and `gate.safetensors`.
private struct MixtureGateReader {
  private let file: MixtureFile
  private let experts: [LowRankAdapter]
  private let modules: Set<AdaptedModule>
  private let target: AdapterTarget
  private let tensors: SafetensorsFile

  init(
    _ file: MixtureFile, experts: [LowRankAdapter], modules: Set<AdaptedModule>,
    target: AdapterTarget
  ) throws(AdapterError) {
    self.file = file
    self.experts = experts
    self.modules = modules
    self.target = target
    do {
      tensors = try SafetensorsFile(path: file.gatePath)
    } catch {
      throw .unreadable(path: file.gatePath, reason: error.fieldAndProblem)
    }
  }

  func gates() throws(AdapterError) -> AdapterGates {
    var known: Set<String> = []
    var found: [AdapterGates.Place: [Gate?]] = [:]
    for place in AdapterGates.Place.allCases {
      var gates: [Gate?] = []
      for layer in target.shapes.indices {
        gates.append(try gate(place, layer: layer, known: &known))
      }
      found[place] = gates
    }
    for name in tensors.tensorNames.sorted() where !known.contains(name) {
      throw .unknownModule(path: file.gatePath, tensor: name)
    }
    return AdapterGates(
      attention: found[.attention] ?? [], feedForward: found[.feedForward] ?? [],
      expertCount: experts.count)
  }

  /// The gate of a place; nil where no expert adds anything.
  private func gate(
    _ place: AdapterGates.Place, layer: Int, known: inout Set<String>
  ) throws(AdapterError) -> Gate? {
    let prefix = "layers.\(layer).\(place.rawValue)."
    known.formUnion([prefix + "weight", prefix + "bias"])
    guard let description = file.gates[place], isUsed(place, layer: layer) else { return nil }
    let count = experts.count - description.sharedExperts
    let width = target.configuration.width
    var matrix: FloatBuffer?
    switch description.scores {
    case .linear, .cosine: matrix = try matrixOf(prefix + "weight", rows: count, width: width)
    case .perTask: matrix = try matrixOf(prefix + "weight", rows: nil, width: count)
    case .fixedRandom, .random: matrix = nil
    }
    var bias: [Float]?
    if tensors.tensorNames.contains(prefix + "bias") {
      bias = try floats(prefix + "bias", shape: [count])
    }
    do {
      return try description.gate(
        expertCount: count, width: width, layer: layer, matrix: matrix, bias: bias)
    } catch {
      throw .invalidValue(
        path: file.path, key: "gates.\(place.rawValue)", value: "unusable",
        expected: "a gate for \(experts.count) adapters: \(error)")
    }
  }

  private func isUsed(_ place: AdapterGates.Place, layer: Int) -> Bool {
    AdapterInput.allCases.contains { input in
      AdapterGates.Place(input) == place
        && experts.contains { expert in
          expert.group(layer: layer, input)?.additions.contains { modules.contains($0.module) }
            ?? false
        }
    }
  }

  /// - Parameter rows: nil for as many as there are.
  private func matrixOf(
    _ name: String, rows: Int?, width: Int
  ) throws(AdapterError) -> FloatBuffer {
    let rows = rows ?? tensors.tensors[name]?.shape.first ?? 0
    let values = try floats(name, shape: [rows, width])
    do {
      let buffer = try FloatBuffer(rows: rows, width: width)
      for (index, value) in values.enumerated() { buffer.pointer[index] = value }
      return buffer
    } catch {
      throw .wrongShape(
        path: file.gatePath, tensor: name, shape: [rows, width], expected: [1, width])
    }
  }

  private func floats(_ name: String, shape: [Int]) throws(AdapterError) -> [Float] {
    try tensors.finiteFloats(name, shape: shape)
  }
}
