import Foundation
import ModelFiles

/// The safetensors files of a checkpoint's folder, as one.
package final class CheckpointFiles: Sendable {
  let folder: String
  private let files: [SafetensorsFile]
  /// Which of `files` has a tensor.
  private let fileOfTensor: [String: Int]

  static let maximumFileCount = 1024

  /// The file of a checkpoint in one, and the list of files of one in several.
  package static let singleName = "model.safetensors"
  package static let indexName = "model.safetensors.index.json"

  package init(folder: String) throws(ModelFileError) {
    self.folder = folder
    var files: [SafetensorsFile] = []
    var fileOfTensor: [String: Int] = [:]
    for name in try Self.fileNames(in: folder) {
      let file = try SafetensorsFile(path: folder + "/" + name)
      for tensor in file.tensorNames {
        guard fileOfTensor.updateValue(files.count, forKey: tensor) == nil else {
          throw ModelFileError(path: file.path, field: "tensor \(tensor)", problem: .duplicate)
        }
      }
      files.append(file)
    }
    self.files = files
    self.fileOfTensor = fileOfTensor
  }

  /// The files that the index names, or the only one where there is no index.
  package static func fileNames(in folder: String) throws(ModelFileError) -> [String] {
    let index = folder + "/" + indexName
    guard FileManager.default.fileExists(atPath: index) else { return [singleName] }
    struct Index: Decodable { var weight_map: [String: String] }
    let map = try CheckpointConfiguration.decode(
      Index.self, path: index, maximumBytes: 64 << 20
    ).weight_map
    let names = Set(map.values).sorted()
    guard (1...maximumFileCount).contains(names.count) else {
      throw ModelFileError(
        path: index, field: "weight_map",
        problem: .invalid(
          value: "\(names.count) files", expected: "1 to \(maximumFileCount) files"))
    }
    for name in names where name.contains("/") || name.hasPrefix(".") || name.contains("\0") {
      throw ModelFileError(
        path: index, field: "weight_map",
        problem: .invalid(value: name, expected: "the name of a file in this folder"))
    }
    return names
  }

  var tensorNames: [String] { Array(fileOfTensor.keys) }

  /// How large all tensors are, those of bytes included.
  var weightSize: WeightSize {
    var size = WeightSize()
    for file in files {
      for tensor in file.tensors.values {
        size.add(bytes: tensor.byteCount, elements: tensor.elementCount)
      }
      for (name, tensor) in file.rawTensors {
        // MXFP4 has two numbers in a byte, and their exponents apart.
        let bytes = file.bytes(of: tensor).count
        size.add(bytes: bytes, elements: name.hasSuffix("_blocks") ? 2 * bytes : 0)
      }
    }
    return size
  }

  func contains(_ name: String) -> Bool { fileOfTensor[name] != nil }

  /// The tensor of that name, or nil; throws if it is none of floats.
  func tensor(named name: String) throws(ModelFileError) -> TensorView? {
    guard let index = fileOfTensor[name] else { return nil }
    return try files[index].tensor(named: name)
  }

  func requiredTensor(named name: String) throws(ModelFileError) -> TensorView {
    guard let view = try tensor(named: name) else { throw error(name, .missing) }
    return view
  }

  /// Shape and bytes of a tensor of unsigned bytes, valid as long as this object lives.
  func requiredBytes(
    named name: String
  ) throws(ModelFileError) -> (shape: [Int], bytes: UnsafeRawBufferPointer) {
    guard let index = fileOfTensor[name] else { throw error(name, .missing) }
    guard let raw = files[index].rawTensors[name], raw.type == "U8" else {
      throw error(name, .wrongType(found: "another type", expected: "U8"))
    }
    return (raw.shape, files[index].bytes(of: raw))
  }

  func dropPages() { for file in files { file.dropPages() } }

  func error(_ tensor: String, _ problem: ModelFileError.Problem) -> ModelFileError {
    ModelFileError(path: folder, field: "tensor \(tensor)", problem: problem)
  }
}
