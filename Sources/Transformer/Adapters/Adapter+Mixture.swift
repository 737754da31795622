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
    if let merge = file.merge {
      self.init(experts: experts, merging: try reader.merging(merge))
    } else {
      self.init(experts: experts, modules: modules, gates: try reader.gates())
    }
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

  /// Gates that choose token by token.
  func gates() throws(AdapterError) -> AdapterGates {
    let layers = try layers()
    return AdapterGates(
      attention: layers.map { $0[.attention]?.first },
      feedForward: layers.map { $0[.feedForward]?.first })
  }

  /// Gates that choose before the pass.
  func merging(_ kind: AdapterMerging.Kind) throws(AdapterError) -> AdapterMerging {
    let layers = try layers()
    do {
      return try AdapterMerging(
        kind, experts: experts, modules: modules, layers: layers, target: target)
    } catch {
      throw .invalidValue(
        path: file.path, key: "merge", value: kind.rawValue,
        expected: "adapters that can be merged: \(error)")
    }
  }

  /// The gates of each layer.
  private func layers() throws(AdapterError) -> [AdapterMerging.LayerGates] {
    var known: Set<String> = []
    var layers: [AdapterMerging.LayerGates] = []
    for layer in target.shapes.indices {
      var gates: AdapterMerging.LayerGates = [:]
      for place in AdapterGates.Place.allCases {
        gates[place] = try self.gates(place, layer: layer, known: &known)
      }
      layers.append(gates)
    }
    for name in tensors.tensorNames.sorted() where !known.contains(name) {
      throw .unknownModule(path: file.gatePath, tensor: name)
    }
    return layers
  }

  /// The gate of a place, or one for each split; nil where no expert adds anything.
  private func gates(
    _ place: AdapterGates.Place, layer: Int, known: inout Set<String>
  ) throws(AdapterError) -> [Gate]? {
    let prefix = "layers.\(layer).\(place.rawValue)."
    known.formUnion([prefix + "weight", prefix + "bias"])
    guard let description = file.gates[place], isUsed(place, layer: layer) else { return nil }
    if description.hasBypassExpert, !target.marksTokens {
      throw .unsupported(
        path: file.path, key: "gates.\(place.rawValue).bypass_expert",
        value: "true on a base whose control tokens are not known")
    }
    let count = experts.count - description.clampedSharedExperts
    let width = target.configuration.width
    var matrices: [FloatBuffer?]
    switch description.scores {
    case .linear, .cosine: matrices = [try matrixOf(prefix + "weight", rows: count, width: width)]
    case .perTask: matrices = try taskMatrices(prefix + "weight", experts: count)
    case .fixedRandom, .random: matrices = [nil]
    }
    var bias: [Float]?
    if tensors.tensorNames.contains(prefix + "bias") {
      bias = try floats(prefix + "bias", shape: [count])
    }
    do {
      var gates: [Gate] = []
      for matrix in matrices {
        gates.append(
          try description.gate(
            expertCount: count, width: width, layer: layer, matrix: matrix, bias: bias))
      }
      return gates
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

  private func matrixOf(
    _ name: String, rows: Int, width: Int
  ) throws(AdapterError) -> FloatBuffer {
    try buffer(floats(name, shape: [rows, width])[...], name, rows: rows, width: width)
  }

  /// The tasks' rows, for each split. // (tasks, experts), from that or (tasks, splits, experts)
  private func taskMatrices(
    _ name: String, experts: Int
  ) throws(AdapterError) -> [FloatBuffer] {
    let shape = tensors.tensors[name]?.shape ?? []
    let isSplit = file.merge == .parameters && shape.count == 3
    let tasks = shape.first ?? 0
    let splits = isSplit ? shape[1] : 1
    let values = try floats(name, shape: isSplit ? [tasks, splits, experts] : [tasks, experts])
    var matrices: [FloatBuffer] = []
    for split in 0..<splits {
      let rows = (0..<tasks).flatMap {
        values[(($0 * splits + split) * experts)...].prefix(experts)
      }
      matrices.append(try buffer(rows[...], name, rows: tasks, width: experts))
    }
    guard !matrices.isEmpty else {
      throw .wrongShape(
        path: file.gatePath, tensor: name, shape: shape, expected: [tasks, 1, experts])
    }
    return matrices
  }

  private func buffer(
    _ values: ArraySlice<Float>, _ name: String, rows: Int, width: Int
  ) throws(AdapterError) -> FloatBuffer {
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
