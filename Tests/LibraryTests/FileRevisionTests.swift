import Foundation
import Library
import Testing

@Suite struct FileRevisionTests {
  private func revision(_ bytes: [UInt8]) throws -> String {
    let folder = try TemporaryFolder()
    let path = folder.path + "/file"
    try Data(bytes).write(to: URL(filePath: path))
    return try FileRevision.of(path)
  }

  @Test func equalFilesHaveEqualNames() throws {
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
    let name = try revision(bytes)
    #expect(try revision(bytes) == name)
    #expect(name.count == 16)
  }

  @Test func changesAtStartMiddleEndAndLengthShow() throws {
    let bytes = Array(repeating: UInt8(1), count: 2_000_000)
    var names = [try revision(bytes)]
    for place in [0, bytes.count / 2, bytes.count - 1] {
      var changed = bytes
      changed[place] = 2
      names.append(try revision(changed))
    }
    names.append(try revision(bytes + [1]))
    names.append(try revision(bytes.dropLast()))
    #expect(Set(names).count == names.count)
  }

  @Test func smallAndEmptyFiles() throws {
    #expect(try revision([]) != revision([0]))
    #expect(try revision([1, 2]) != revision([1, 3]))
  }

  @Test func missingFile() {
    #expect(throws: (any Error).self) { try FileRevision.of("/nowhere/at/all") }
  }
}
