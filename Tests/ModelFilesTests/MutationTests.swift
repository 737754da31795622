import Kernels
import ModelFiles
import Testing

/// Thousands of damaged files: each must either open or give a typed error, and whatever opens
/// must be readable to its last byte.
@Suite struct MutationTests {
  /// Values that break sizes, products and signs.
  static let hostile: [UInt64] = [
    0, 1, 2, 3, 7, 8, 9, 12, 13, 31, 33, 39, 64, 255, 256, 65_535, 1 << 20, (1 << 31) - 1, 1 << 31,
    (1 << 32) - 1, 1 << 32, 1 << 40, 1 << 62, (1 << 63) - 1, 1 << 63, .max - 31, .max - 7, .max,
  ]

  @Test func mutatedGGUFFilesNeverCrash() throws {
    let temporary = try TemporaryFile()
    var random = SplitMix64(seed: 1)
    var tally = Tally()
    let sample = GGUFWriter.sample()
    for field in sample.fields {
      for value in Self.hostile {
        var file = PatchedFile(writer: sample)
        file.patch(field, value)
        try tally.openGGUF(file.bytes, temporary)
      }
    }
    for length in 0..<sample.bytes.count {
      try tally.openGGUF(Array(sample.bytes.prefix(length)), temporary)
    }
    for _ in 0..<1_500 {
      var bytes = sample.bytes
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        let index = Int.random(in: 0..<bytes.count, using: &random)
        bytes[index] = UInt8.random(in: 0...255, using: &random)
      }
      try tally.openGGUF(bytes, temporary)
    }
    for _ in 0..<500 {
      // Two fields at once: a count that fits a changed type, offsets that collide.
      var file = PatchedFile(writer: sample)
      for _ in 0..<2 {
        guard let field = sample.fields.randomElement(using: &random),
          let value = Self.hostile.randomElement(using: &random)
        else { continue }
        file.patch(field, value)
      }
      try tally.openGGUF(file.bytes, temporary)
    }
    #expect(tally.opened + tally.refused >= 2_000)
    #expect(tally.opened > 0)
    #expect(tally.refused > 1_000)
  }

  @Test func mutatedSafetensorsFilesNeverCrash() throws {
    let temporary = try TemporaryFile()
    var random = SplitMix64(seed: 2)
    var tally = Tally()
    let sample = SafetensorsWriter.sample()
    for value in Self.hostile {
      var bytes = sample
      for index in 0..<8 {
        bytes[index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
      }
      try tally.openSafetensors(bytes, temporary)
    }
    for length in 0..<sample.count {
      try tally.openSafetensors(Array(sample.prefix(length)), temporary)
    }
    // Every number of the header replaced by every hostile one.
    let header = SafetensorsWriter.header
    for number in header.matches(of: /[0-9]+/) {
      for value in Self.hostile.map(String.init) + ["-1", "1e9", "0.5", "99999999999999999999"] {
        let changed = header.replacingCharacters(in: number.range, with: value)
        try tally.openSafetensors(SafetensorsWriter.bytes(header: changed), temporary)
      }
    }
    let alphabet = Array("{}[]\",:\\u0019aZ \n\u{0}é".utf8)
    for _ in 0..<2_000 {
      var text = Array(header.utf8)
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let index = Int.random(in: 0..<text.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: text[index] = UInt8.random(in: 0...255, using: &random)
        case 1: text[index] = alphabet.randomElement(using: &random) ?? 0
        default: text.remove(at: index)
        }
      }
      try tally.openSafetensors(SafetensorsWriter.bytes(header: text), temporary)
    }
    #expect(tally.opened + tally.refused >= 2_000)
    #expect(tally.opened > 0)
    #expect(tally.refused > 1_000)
  }

  struct Tally {
    var opened = 0
    var refused = 0

    mutating func openGGUF(_ bytes: [UInt8], _ temporary: TemporaryFile) throws {
      try temporary.write(bytes)
      do throws(ModelFileError) {
        let file = try GGUFFile(path: temporary.path)
        opened += 1
        for value in file.metadata.values {
          guard let array = value.array else { continue }
          _ = (array.strings, array.ints, array.floats, array.bools, array.arrays)
        }
        for name in file.tensors.keys {
          _ = try file.requiredTensor(named: name).bytes.reduce(0) { $0 &+ Int($1) }
        }
      } catch {
        refused += 1
        if error.field.isEmpty { Issue.record("no field: \(error)") }
      }
    }

    mutating func openSafetensors(_ bytes: [UInt8], _ temporary: TemporaryFile) throws {
      try temporary.write(bytes)
      do throws(ModelFileError) {
        let file = try SafetensorsFile(path: temporary.path)
        opened += 1
        for name in file.tensors.keys {
          let view = try file.requiredTensor(named: name)
          _ = view.bytes.reduce(0) { $0 &+ Int($1) }
        }
      } catch {
        refused += 1
        if error.field.isEmpty { Issue.record("no field: \(error)") }
      }
    }
  }
}
