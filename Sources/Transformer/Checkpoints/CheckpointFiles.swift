import Foundation
import ModelFiles

/// The safetensors files of a checkpoint's folder, as one.
///
/// Of a model that sees or hears too, the part that reads text is all there is here, under the names that it
/// would have alone.
package final class CheckpointFiles: Sendable {
  let folder: String
  private let files: [SafetensorsFile]
  /// Where tensors are.
  private let places: [String: Place]

  private struct Place {
    /// Index into `files`.
    let file: Int
    /// The name there.
    let name: String
  }

  static let maximumFileCount = 1024

  /// The file of a checkpoint in one, and the list of files of one in several.
  package static let singleName = "model.safetensors"
  package static let indexName = "model.safetensors.index.json"

  package init(folder: String) throws(ModelFileError) {
    self.folder = folder
    var files: [SafetensorsFile] = []
    var places: [String: Place] = [:]
    for name in try Self.fileNames(in: folder) {
      let file = try SafetensorsFile(path: folder + "/" + name)
      for tensor in file.tensorNames {
        let place = Place(file: files.count, name: tensor)
        guard places.updateValue(place, forKey: tensor) == nil else {
          throw ModelFileError(path: file.path, field: "tensor \(tensor)", problem: .duplicate)
        }
      }
      files.append(file)
    }
    self.files = files
    self.places = Self.textPart(of: places)
  }

  /// The tensors of the part that reads text, by the names that it has alone; all, where there is no
  /// other part.
  private static func textPart(of places: [String: Place]) -> [String: Place] {
    var text: [String: Place] = [:]
    for (name, place) in places {
      // As it is written since 2025, as it was before, and as Idefics 3 has it.
      for (prefix, own) in [
        ("model.language_model.", "model."), ("language_model.model.", "model."),
        ("language_model.lm_head.", "lm_head."), ("model.text_model.", "model."),
      ] where name.hasPrefix(prefix) {
        text[own + name.dropFirst(prefix.count)] = place
      }
    }
    guard !text.isEmpty else { return places }
    text.merge(places.filter { $0.key.hasPrefix("lm_head.") }) { own, _ in own }
    return text
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

  var tensorNames: [String] { Array(places.keys) }

  /// How large all tensors are, those of bytes included.
  var weightSize: WeightSize {
    var size = WeightSize()
    for place in places.values {
      let file = files[place.file]
      if let tensor = file.tensors[place.name] {
        size.add(bytes: tensor.byteCount, elements: tensor.elementCount)
      } else if let tensor = file.rawTensors[place.name] {
        // MXFP4 has two numbers in a byte, and their exponents apart.
        let bytes = file.bytes(of: tensor).count
        size.add(bytes: bytes, elements: place.name.hasSuffix("_blocks") ? 2 * bytes : 0)
      }
    }
    return size
  }

  func contains(_ name: String) -> Bool { places[name] != nil }

  /// The tensor of that name, or nil; throws if it is none of floats.
  func tensor(named name: String) throws(ModelFileError) -> TensorView? {
    guard let place = places[name] else { return nil }
    return try files[place.file].tensor(named: place.name)
  }

  func requiredTensor(named name: String) throws(ModelFileError) -> TensorView {
    guard let view = try tensor(named: name) else { throw error(name, .missing) }
    return view
  }

  /// Shape and bytes of a tensor of unsigned bytes, valid as long as this object lives.
  func requiredBytes(
    named name: String
  ) throws(ModelFileError) -> (shape: [Int], bytes: UnsafeRawBufferPointer) {
    guard let place = places[name] else { throw error(name, .missing) }
    let file = files[place.file]
    guard let raw = file.rawTensors[place.name], raw.type == "U8" else {
      throw error(name, .wrongType(found: "another type", expected: "U8"))
    }
    return (raw.shape, file.bytes(of: raw))
  }

  func dropPages() { for file in files { file.dropPages() } }

  func error(_ tensor: String, _ problem: ModelFileError.Problem) -> ModelFileError {
    ModelFileError(path: folder, field: "tensor \(tensor)", problem: problem)
  }
}
