import Testing
import Thalamus

@Suite struct ModelAliasesTests {
  private static let known = ["auto", "a", "encoder"]

  @Test func namesStandForModels() throws {
    let aliases = try ModelAliases(
      ["gpt-4o-mini=auto", "text-embedding-3-small = encoder", "x=y=a"].dropLast() + ["z=a"],
      known: Self.known)
    #expect(aliases.model("gpt-4o-mini") == "auto")
    #expect(aliases.model("text-embedding-3-small") == "encoder")
    #expect(aliases.model("a") == "a" && aliases.model("other") == "other")
    #expect(aliases.tagged("a:latest") == "a" && aliases.tagged("z:latest") == "a")
    #expect(aliases.names == ["gpt-4o-mini", "text-embedding-3-small", "z"])
  }

  @Test(arguments: ["a", "=a", "b=", "b=c", "a=auto", "auto=a"])
  func whatIsNoAliasIsAnError(entry: String) {
    #expect(throws: ModelAliases.Failure.self) { try ModelAliases([entry], known: Self.known) }
  }
}
