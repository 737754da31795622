import HTTP
import Server
import Testing

@Suite struct AuthorizationTests {
  /// The error's code; nil where the request may pass.
  private func check(_ header: String?, own: String? = nil, keys: [String]) -> String? {
    var headers = HTTPHeaders()
    if let header { headers.add("authorization", header) }
    if let own { headers.add("X-Api-Key", own) }
    do {
      try Authorization(keys: keys).check(HTTPRequest(.get, "/", headers: headers))
      return nil
    } catch {
      #expect(error.status == .unauthorized)
      return error.code
    }
  }

  @Test func withoutKeysAllMayPass() {
    #expect(check(nil, keys: []) == nil)
    #expect(check("Bearer whatever", keys: []) == nil)
  }

  @Test(arguments: ["Bearer one", "bearer one", "BEARER two", "Bearer  one"])
  func accepted(header: String) {
    #expect(check(header, keys: ["one", "two"]) == nil)
  }

  @Test(arguments: [
    "Bearer", "Bearer ", "Bearer on", "Bearer onee", "Bearer One", "Basic one", "one",
    "Bearer one x",
    "Bearerone", "Bearer \u{0}ne",
  ])
  func refused(header: String) {
    #expect(check(header, keys: ["one", "two"]) == "invalid_api_key")
  }

  /// Anthropic's header for it.
  @Test func aKeyInItsOwnHeader() {
    #expect(check(nil, own: "two", keys: ["one", "two"]) == nil)
    #expect(check("Bearer x", own: "one", keys: ["one"]) == nil)
    #expect(check("Bearer one", own: "x", keys: ["one"]) == nil)
    for own in ["on", "onee", "One", "Bearer one", "one x"] {
      #expect(check(nil, own: own, keys: ["one"]) == "invalid_api_key")
    }
    #expect(check("one", own: "", keys: ["one"]) == "invalid_api_key")
    #expect(check("", own: "", keys: ["", "one"]) == "missing_api_key")
    #expect(check(nil, own: "x", keys: [""]) == "invalid_api_key")
  }

  @Test func missingHeader() {
    #expect(check(nil, keys: ["one"]) == "missing_api_key")
    #expect(check("", keys: ["one"]) == "missing_api_key")
  }

  /// `api_keys: [""]`, which an unset variable may leave behind, must not open the door.
  @Test func emptyKeyLetsNobodyIn() {
    #expect(check(nil, keys: [""]) == "missing_api_key")
    #expect(check("Bearer ", keys: [""]) == "invalid_api_key")
    #expect(check("Bearer one", keys: ["", "one"]) == nil)
  }
}
