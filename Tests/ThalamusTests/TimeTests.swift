import Testing
import Thalamus

/// Times as queries state them.
@Suite struct TimeTests {
  @Test(
    arguments: [
      ("1970-01-01", 0), ("1971", 31_536_000_000), ("2026-01-31", 1_769_817_600_000),
      ("2026-01-31T00:00:00Z", 1_769_817_600_000),
      ("2026-01-31T12:00:00Z", 1_769_860_800_000),
      ("2026-01-31T12:00:00.250Z", 1_769_860_800_250),
      ("2026-01-31T12:00:00+02:00", 1_769_853_600_000),
      ("1969-12-31", -86_400_000),
    ] as [(String, Int64)])
  func read(text: String, milliseconds: Int64) throws {
    #expect(try ThalamusService.time(text) == milliseconds)
  }

  @Test(arguments: [
    "", "yesterday", "20260131", "2026-13-01", "2026-02-30", "2026-01-31T25:00:00Z",
    "2026-01-31T12:00",
    "2026-01-31junk", "2026-01-31T12:00:00Zjunk", "99999999999999999999-01-01", "-1-01-01",
    "2026-01-31 12:00:00", "éé", "0000-00-00",
  ])
  func refused(text: String) {
    #expect {
      try ThalamusService.time(text)
    } throws: { error in
      guard case .invalidQuery(let name, _)? = error as? ServiceError else { return false }
      return name == "since"
    }
  }
}
