/// What one flag asks for.
package enum PromptFlagMeaning: Equatable, Sendable {
  case weight(Goal, Double)
  case constraint(Constraints)

  /// The weight of a flag that names a goal without a number, such as `smallest model`: the whole
  /// way from the best to the worst expert counts as one bit per byte, more than experts of one
  /// library usually differ in loss.
  package static let namedWeight = 1.0

  /// Why a flag could not be read.
  package struct Problem: Error, Equatable {
    package var reason: String
    /// The flag names a limit, but its value says none.
    package var isOfLimit = false
  }

  /// The flags that stand between colon and bracket, with commas between them. A licence or an id is part of the list
  /// before it, and a digit of the number.
  package static func parts(of body: String) -> [String] {
    var parts: [String] = []
    for piece in body.split(omittingEmptySubsequences: false, whereSeparator: { ",;".contains($0) })
    {
      let text = String(piece).trimmedBlanks
      guard let last = parts.last, !text.contains("=") else {
        parts.append(text)
        continue
      }
      let key = last.firstIndex(of: "=").map { words(last[..<$0].lowercased()) }
      let isOfList =
        key.map(listKeys.contains) ?? false && !localOnlyNames.contains(words(text.lowercased()))
      if isOfList || text.first?.isNumber ?? true {
        parts[parts.count - 1] += "," + piece
      } else {
        parts.append(text)
      }
    }
    return parts
  }

  /// Reads the text between colon and bracket.
  package static func read(_ body: String) -> Result<PromptFlagMeaning, Problem> {
    let lowered = body.lowercased()
    guard let equals = lowered.firstIndex(of: "=") else {
      if let goal = named[words(lowered)] { return .success(.weight(goal, namedWeight)) }
      if localOnlyNames.contains(words(lowered)) {
        return .success(.constraint(Constraints(localOnly: true)))
      }
      return .failure(unknown(words(lowered)))
    }
    let key = words(String(lowered[..<equals]))
    // Ids keep their case.
    let value = body.firstIndex(of: "=").map { String(body[body.index(after: $0)...]) } ?? ""
    return read(key: key, value: value.trimmedBlanks)
  }

  private static func read(key: String, value: String) -> Result<PromptFlagMeaning, Problem> {
    if let goal = Goal(rawValue: key) ?? named[key] {
      guard let weight = number(value), (0...GoalWeights.maximum).contains(weight) else {
        return .failure(Problem(reason: "weight must be a number from 0 to 100"))
      }
      return .success(.weight(goal, weight))
    }
    var limit = Constraints()
    switch key {
    case "max params", "max parameters", "params", "parameters":
      guard let count = count(value, thousand: 1000), count > 0 else {
        return .failure(Problem(reason: "must be a count such as 300M", isOfLimit: true))
      }
      limit.maxParameters = count
    case "min context", "context", "context length":
      guard let count = count(value, thousand: 1024), count > 0 else {
        return .failure(
          Problem(reason: "must be a count of tokens such as 4096 or 8K", isOfLimit: true))
      }
      limit.minContext = count
    case "local only", "local":
      switch value.lowercased() {
      case "true", "yes", "1", "on": limit.localOnly = true
      case "false", "no", "0", "off": limit.localOnly = false
      default: return .failure(Problem(reason: "must be true or false", isOfLimit: true))
      }
    case "max cost", "max cost usd", "max price":
      guard let usd = number(value.hasPrefix("$") ? String(value.dropFirst()) : value), usd >= 0
      else { return .failure(Problem(reason: "must be US dollars such as 0.01", isOfLimit: true)) }
      limit.maxCostUSD = usd
    case "released after", "after", "newer than":
      guard let date = CalendarDate(value) else {
        return .failure(Problem(reason: "must be a date such as 2024-01-01", isOfLimit: true))
      }
      limit.releasedAfter = date
    case _ where licenseKeys.contains(key):
      guard let names = names(value) else {
        return .failure(
          Problem(reason: "must be licences such as apache-2.0, mit", isOfLimit: true))
      }
      limit.licenses = Set(names.map { $0.lowercased() })
    case _ where expertKeys.contains(key):
      guard let names = names(value) else {
        return .failure(Problem(reason: "must be ids of experts", isOfLimit: true))
      }
      limit.experts = Set(names)
    case "min density", "max density":
      guard let density = number(value), (0...1).contains(density) else {
        return .failure(Problem(reason: "must be a share from 0 to 1", isOfLimit: true))
      }
      if key == "min density" { limit.minDensity = density } else { limit.maxDensity = density }
    default:
      return .failure(unknown(key))
    }
    return .success(.constraint(limit))
  }

  /// The beginning of the limit that a text begins with, readable or not, where it begins with one, or with other flags before it.
  package static func limit(beginning text: String) -> String? {
    func isLimit(_ part: String) -> Bool {
      switch read(part) {
      case .success(.constraint): true
      case .success(.weight): false
      case .failure(let problem): problem.isOfLimit
      }
    }
    for piece in text.split(omittingEmptySubsequences: false, whereSeparator: { ",;".contains($0) })
    {
      let part = String(piece).trimmedBlanks
      let words = part.split(whereSeparator: { " \t.".contains($0) })
      // Where the flag should have ended is not known: of a limit without a value the name has three words at most.
      let beginnings =
        part.contains("=")
        ? [part]
        : (1...3).filter { $0 <= words.count }.map { words.prefix($0).joined(separator: " ") }
      if beginnings.contains(where: isLimit) { return String(part.prefix(40)) }
      // What follows no flag is none.
      guard case .success = read(part) else { return nil }
    }
    return nil
  }

  /// A name that is none. One that looks like a limit's is a slip of it, and a prompt that was to stay at home must not
  /// leave for a letter.
  private static func unknown(_ name: String) -> Problem {
    let joined = name.filter { $0 != " " }
    let isAboutLocality = ["local", "lokal"].contains { joined.contains($0) }
    guard isAboutLocality || name.nearest(among: limitNames) != nil else {
      return Problem(reason: "unknown flag")
    }
    let meant = isAboutLocality ? "local only" : name.nearest(among: limitNames) ?? "local only"
    return Problem(reason: "is no flag; did you mean '\(meant)'?", isOfLimit: true)
  }

  // MARK: - Words and numbers

  /// `Max_Params` and `max-params` read as `max params`; a closing "model" or "expert" says nothing.
  private static func words(_ text: String) -> String {
    var parts = text.split(whereSeparator: { " \t-_".contains($0) }).map(String.init)
    if parts.count > 1, let last = parts.last, ["model", "expert", "answer"].contains(last) {
      parts.removeLast()
    }
    if parts.count > 1, let first = parts.first, ["the", "a"].contains(first) {
      parts.removeFirst()
    }
    return parts.joined(separator: " ")
  }

  private static func number(_ text: String) -> Double? {
    guard text.utf8.count <= 32,
      text.utf8.allSatisfy({ (48...57).contains($0) || "+-.eE".utf8.contains($0) }),
      let value = Double(text), value.isFinite
    else { return nil }
    return value
  }

  private static func count(_ text: String, thousand: Double) -> Int? {
    let text = text.lowercased()
    var scale = 1.0
    var digits = text[...]
    switch text.last {
    case "k": scale = thousand
    case "m": scale = thousand * thousand
    case "b", "g": scale = thousand * thousand * thousand
    case "t": scale = thousand * thousand * thousand * thousand
    default: break
    }
    if scale > 1 { digits = digits.dropLast() }
    guard let value = number(String(digits).trimmedBlanks), value >= 0, value * scale < 1e18 else {
      return nil
    }
    return Int((value * scale).rounded())
  }

  private static func names(_ text: String) -> [String]? {
    let parts = text.split(separator: ",").map { String($0).trimmedBlanks }.filter { !$0.isEmpty }
    return parts.isEmpty ? nil : parts
  }

  private static let licenseKeys: Set<String> = ["license", "licenses", "licence", "licences"]
  private static let expertKeys: Set<String> = ["expert", "experts", "model", "models"]
  private static let listKeys = licenseKeys.union(expertKeys)

  /// Names of limits of some length: of short ones any word is a slip.
  private static let limitNames = [
    "local only", "max parameters", "max params", "max cost", "min context", "released after",
    "min density", "max density",
  ]

  private static let localOnlyNames: Set<String> = [
    "local", "local only", "only local", "stay local", "on this machine",
  ]

  private static let named: [String: Goal] = {
    let words: [Goal: [String]] = [
      .size: ["smallest", "small", "smaller", "tiny", "tiniest"],
      .recency: ["newest", "latest", "new", "newer", "recent", "most recent"],
      .security: ["secure", "most secure", "safest", "private", "most private"],
      .latency: ["fastest", "fast", "faster", "quick", "quickest", "low latency", "speed"],
      .cost: ["cheapest", "cheap", "cheaper", "low cost", "price"],
      .verbosity: ["concise", "most concise", "brief", "short", "shortest", "terse"],
      .readability: ["readable", "most readable", "easy to read", "plain", "simple"],
      .continuity: ["same expert", "same model"],
    ]
    var table: [String: Goal] = [:]
    for (goal, names) in words {
      for name in names { table[name] = goal }
      table[goal.rawValue] = goal
    }
    return table
  }()
}
