import Foundation
import Testing
import Transformer
import Vision

/// The golden files of this room.
enum Fixture {
  static func path(_ name: String) throws -> String {
    try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: nil)).path
  }

  static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(name))))
  }

  static func json<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
    try JSONDecoder().decode(
      type, from: Data(contentsOf: URL(fileURLWithPath: path(name + ".json"))))
  }

  /// One pool for all tests: two would take each other's cores.
  static let pool: ComputePool? = try? ComputePool(threadCount: 2)
}
