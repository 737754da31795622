import Foundation
import Kernels
import ModelFiles

extension LowRankAdapter {
  /// Loads an adapter in PEFT's form: `adapter_config.json` beside `adapter_model.safetensors`.
  ///
  /// - Parameters:
  ///   - path: The folder of both files, or the safetensors file itself.
  ///   - target: The base, as `Decoder.adapterTarget` gives it.
  package convenience init(path: String, target: AdapterTarget) throws(AdapterError) {
    let isFile = path.hasSuffix(".safetensors")
    let folder = isFile ? URL(filePath: path).deletingLastPathComponent().path : path
    let weightsPath = isFile ? path : folder + "/adapter_model.safetensors"
    let configuration = try AdapterConfiguration(path: folder + "/adapter_config.json")
    let file: SafetensorsFile
    do {
      file = try SafetensorsFile(path: weightsPath)
    } catch {
      throw .unreadable(path: weightsPath, reason: error.fieldAndProblem)
    }
    try self.init(file: file, configuration: configuration, target: target)
    file.dropPages()
  }

  private convenience init(
    file: SafetensorsFile, configuration: AdapterConfiguration, target: AdapterTarget
  ) throws(AdapterError) {
    var pairs: [AdapterTensorName.Place: AdapterTensorName.Pair] = [:]
    for name in file.tensorNames.sorted() {
      guard let parsed = AdapterTensorName(name),
        target.shapes.indices.contains(parsed.place.layer),
        target.shapes[parsed.place.layer][parsed.place.module] != nil
      else { throw .unknownModule(path: file.path, tensor: name) }
      var pair = pairs[parsed.place] ?? .init(moduleName: parsed.moduleName)
      guard parsed.isA ? pair.a == nil : pair.b == nil else {
        throw .unknownModule(path: file.path, tensor: name)
      }
      if parsed.isA { pair.a = name } else { pair.b = name }
      pairs[parsed.place] = pair
    }
    guard !pairs.isEmpty else {
      throw .unreadable(path: file.path, reason: "holds no tensor")
    }
    let reader = AdapterReader(file: file, configuration: configuration, target: target)
    var groups: [Group?] = []
    for layer in target.shapes.indices {
      for input in AdapterInput.allCases {
        groups.append(try reader.group(layer: layer, input, pairs))
      }
    }
    self.init(target: target, groups: groups)
  }
}

/// A tensor's name in PEFT's files, such as
/// `base_model.model.model.layers.3.mlp.up_proj.lora_A.weight`.
struct AdapterTensorName {
  struct Place: Hashable {
    let layer: Int
    let module: AdaptedModule
  }

  /// The names of a module's two tensors.
  struct Pair {
    let moduleName: String
    var a: String?
    var b: String?
  }

  let place: Place
  let isA: Bool
  /// The module's full name in the checkpoint, which patterns are compared with.
  let moduleName: String

  /// Where layers stand in checkpoints, with and without a head or a picture's part beside them.
  private static let prefixes = [
    "model.", "", "model.language_model.", "language_model.model.", "model.model.",
  ]

  /// Nil if the name is not of a pair's tensor.
  init?(_ name: String) {
    var text = name[...]
    if text.hasPrefix("base_model.model.") { text = text.dropFirst("base_model.model.".count) }
    let isA = text.hasSuffix(".lora_A.weight")
    guard isA || text.hasSuffix(".lora_B.weight") else { return nil }
    text = text.dropLast(".lora_A.weight".count)
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count >= 4, parts[parts.count - 4] == "layers",
      Self.prefixes.contains(parts.dropLast(4).map { $0 + "." }.joined()),
      let layer = Int(parts[parts.count - 3]), layer >= 0,
      "\(layer)" == parts[parts.count - 3],
      let module = AdaptedModule.allCases.first(where: {
        $0.parent == parts[parts.count - 2] && $0.name == parts[parts.count - 1]
      })
    else { return nil }
    place = Place(layer: layer, module: module)
    self.isA = isA
    moduleName = String(text)
  }
}

/// Reads the pairs of one file into what the kernels want.
private struct AdapterReader {
  let file: SafetensorsFile
  let configuration: AdapterConfiguration
  let target: AdapterTarget

  /// The additions of a layer's modules that have this input; nil if there are none.
  func group(
    layer: Int, _ input: AdapterInput, _ pairs: [AdapterTensorName.Place: AdapterTensorName.Pair]
  ) throws(AdapterError) -> LowRankAdapter.Group? {
    var builder: LowRankAdapter.GroupBuilder?
    for module in AdaptedModule.allCases where module.input == input {
      guard let pair = pairs[.init(layer: layer, module: module)],
        let shape = target.shapes[layer][module]
      else { continue }
      if builder == nil { builder = .init(inputs: shape.inputs, precision: target.precision) }
      let rank = try configuration.rank(of: pair.moduleName)
      let scale = try configuration.scale(of: pair.moduleName)
      let a = try floats(
        pair.a, or: pair.moduleName + ".lora_A.weight", shape: [rank, shape.inputs])
      let b = try floats(
        pair.b, or: pair.moduleName + ".lora_B.weight", shape: [shape.outputs, rank])
      let buffer = try allocate(rows: rank, width: shape.outputs)
      for output in 0..<shape.outputs {
        let place = target.place(ofOutput: output, module)
        for r in 0..<rank { buffer[r, place] = scale * b[output * rank + r] }
      }
      do {
        try a.withUnsafeBufferPointer { a throws(KernelError) in
          try builder?.add(module, down: a, up: buffer)
        }
      } catch {
        throw .outOfMemory(path: file.path)
      }
    }
    do {
      return try builder?.group()
    } catch {
      throw .unreadable(path: file.path, reason: "layer \(layer): \(error)")
    }
  }

  private func floats(
    _ name: String?, or missing: String, shape: [Int]
  ) throws(AdapterError) -> [Float] {
    guard let name else { throw .missingTensor(path: file.path, tensor: missing) }
    return try file.finiteFloats(name, shape: shape)
  }

  private func allocate(rows: Int, width: Int) throws(AdapterError) -> FloatBuffer {
    do {
      return try FloatBuffer(rows: rows, width: width)
    } catch {
      throw .outOfMemory(path: file.path)
    }
  }
}

extension SafetensorsFile {
  /// All numbers of a tensor of this shape, none of them a NaN or an infinity.
  func finiteFloats(_ name: String, shape: [Int]) throws(AdapterError) -> [Float] {
    let view: TensorView?
    do {
      view = try tensor(named: name)
    } catch {
      throw .unreadable(path: path, reason: error.fieldAndProblem)
    }
    guard let view else { throw .missingTensor(path: path, tensor: name) }
    guard view.info.shape == shape else {
      throw .wrongShape(path: path, tensor: name, shape: view.info.shape, expected: shape)
    }
    let values: [Float]
    do {
      values = try dequantize(view.info.elementType, view.bytes, count: shape.reduce(1, *))
    } catch {
      throw .unreadable(path: path, reason: "tensor \(name): \(error)")
    }
    guard values.allSatisfy(\.isFinite) else { throw .notFinite(path: path, tensor: name) }
    return values
  }
}

extension ModelFileError {
  /// The message without the path, which is beside it already.
  var fieldAndProblem: String { description.replacing(path + ": ", with: "") }
}
