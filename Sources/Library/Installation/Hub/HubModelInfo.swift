import JSON
import Routing

/// What the hub says of a repository.
package struct HubModelInfo: Sendable, Equatable {
  /// The revision's commit; nil where it is not said.
  package let commit: String?
  /// As its author has it, often an SPDX identifier in lower case.
  package let license: String?
  /// The day on which the repository was made, which is the latest that the model can have been released.
  package let released: CalendarDate?

  /// Reads `{"sha", "cardData": {"license"}, "tags", "createdAt", "lastModified"}`.
  package init(_ bytes: [UInt8]) throws(HubError) {
    guard let info = try? JSONParser.parse(bytes), case .object = info else {
      throw .badAnswer("what it says of the model is no JSON object")
    }
    func text(_ value: JSONValue?) -> String? {
      guard case .string(let text)? = value, (1...200).contains(text.utf8.count),
        text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
      else { return nil }
      return text
    }
    commit = text(info["sha"]).flatMap { $0.wholeMatch(of: /[0-9a-f]{40}/) == nil ? nil : $0 }
    var license = text(info["cardData"]?["license"])
    if license == nil, case .array(let tags)? = info["tags"] {
      license = tags.lazy.compactMap(text).first { $0.hasPrefix("license:") }
        .map { String($0.dropFirst("license:".count)) }
    }
    if license == nil || license == "other" {
      license = text(info["cardData"]?["license_name"]) ?? license
    }
    self.license = license
    released =
      ["createdAt", "lastModified"].lazy.compactMap { text(info[$0]) }
      .compactMap { CalendarDate($0.prefix(10)) }.first
  }
}
