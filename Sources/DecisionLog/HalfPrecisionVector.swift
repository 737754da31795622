import Foundation
import GRDB

/// Numbers in 16 bits each, as a row keeps them (little-endian).
package struct HalfPrecisionVector: Codable, Equatable, Sendable {
  package let bytes: Data

  package init(_ values: [Float]) {
    var bytes = Data(capacity: values.count * 2)
    for value in values {
      withUnsafeBytes(of: Float16(value).bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }
    self.bytes = bytes
  }

  private init(bytes: Data) { self.bytes = bytes }

  package var values: [Float] {
    let bytes = Array(bytes)
    return stride(from: 0, to: bytes.count - 1, by: 2).map { index in
      Float(Float16(bitPattern: UInt16(bytes[index]) | UInt16(bytes[index + 1]) << 8))
    }
  }
}

extension HalfPrecisionVector: DatabaseValueConvertible {
  package var databaseValue: DatabaseValue { bytes.databaseValue }

  package static func fromDatabaseValue(_ value: DatabaseValue) -> HalfPrecisionVector? {
    Data.fromDatabaseValue(value).map { HalfPrecisionVector(bytes: $0) }
  }
}
