import Foundation
import Kernels
import ModelFiles
import Testing

enum SafetensorsWriter {
  static let header = """
    {"__metadata__":{"format":"pt","t\\u00e9st":"a\\n"},\
    "weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},\
    "half":{"dtype":"F16","shape":[4],"data_offsets":[24,32]},\
    "ids":{"dtype":"I64","shape":[1,2],"data_offsets":[32,48]},\
    "brain":{"dtype":"BF16","shape":[],"data_offsets":[48,50]}}
    """

  static func bytes(header: String, dataCount: Int = 50) -> [UInt8] {
    bytes(header: Array(header.utf8), dataCount: dataCount)
  }

  static func bytes(header: [UInt8], dataCount: Int = 50) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header
      + (0..<dataCount).map { UInt8($0) }
  }

  static func sample() -> [UInt8] { bytes(header: header) }
}

@Suite struct SafetensorsFileTests {
  @Test func readsTensorsAndMetadata() throws {
    let temporary = try TemporaryFile(SafetensorsWriter.sample())
    let file = try SafetensorsFile(path: temporary.path)
    #expect(file.metadata == ["format": "pt", "tést": "a\n"])
    let weight = try file.requiredTensor(named: "weight", shape: [2, 3])
    #expect(weight.info.elementType == .f32)
    #expect(Array(weight.bytes) == (0..<24).map { UInt8($0) })
    #expect(try file.requiredTensor(named: "brain").info.shape == [])
    #expect(try file.requiredTensor(named: "brain").bytes.count == 2)
    #expect(try file.tensor(named: "none") == nil)
    let error = #expect(throws: ModelFileError.self) { try file.tensor(named: "ids") }
    #expect(error?.problem == .unsupported(value: "I64"))
  }

  @Test(arguments: [
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{}}"#, 4, "tensor a"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "tensor a.data_offsets"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "tensor a.data_offsets"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 5, "data"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 3, "tensor a.data_offsets"),
    (#"{"a":{"dtype":"F32","shape":[1]}}"#, 4, "tensor a.data_offsets"),
    (
      #"{"a":{"dtype":"F32","shape":[9223372036854775807,9],"data_offsets":[0,4]}}"#, 4,
      "tensor a.shape"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}"#, 4,
      "tensor a.shape"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
      6, "tensor b.data_offsets"
    ),
    ("[]", 0, "header"),
    (#"{"\ud800":{}}"#, 0, "header key"),
  ])
  func refuses(_ file: (header: String, data: Int, field: String)) throws {
    let temporary = try TemporaryFile(
      SafetensorsWriter.bytes(header: file.header, dataCount: file.data))
    let error = #expect(throws: ModelFileError.self) {
      try SafetensorsFile(path: temporary.path)
    }
    #expect(error?.field == file.field, "\(error?.description ?? "")")
  }

  @Test func readsTheShippedEncoder() throws {
    let file = try SafetensorsFile(path: ModelFolder.path("minilm-l6-v2/model.safetensors"))
    _ = try file.requiredTensor(
      named: "embeddings.word_embeddings.weight", shape: [30_522, 384])
  }
}
