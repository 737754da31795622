/// The flags found in a prompt's text, and the text without them.
///
/// ```swift
/// let flags = PromptFlags.parse("Prove it. [Flag: smallest model]")
/// flags.strippedText      // "Prove it."
/// flags.weights[.size]    // 1
/// ```
/// A flag is `[Flag: ...]`, or several with commas between them, in any case, on one line, up to ``maximumBodyBytes`` long, without
/// brackets inside. What only begins as one is text; but see ``mistakenLimit``. `\[Flag: ...]` is literal: it stays, backslash and all, in ``strippedText``,
/// so that stripping twice equals stripping once; ``expertText`` is the same text without those
/// backslashes, for the expert alone. Parsing takes one pass over the bytes.
package struct PromptFlags: Equatable, Sendable {
  /// A flag that was understood.
  package struct Understood: Equatable, Sendable {
    /// What stood between the colon and the bracket.
    package var text: String
    package var meaning: PromptFlagMeaning
  }

  /// A flag that was left out of the text and ignored.
  package struct Ignored: Equatable, Sendable, Codable {
    package var text: String
    package var reason: String
  }

  package var strippedText: String
  package var understood: [Understood]
  package var ignored: [Ignored]
  /// Flags that were removed unread, since there were more than may be. A limit may be among them:
  /// whoever obeys flags must not go on.
  package var unreadCount: Int
  /// The first flag that names a limit and has no value for it, which is among the ignored ones too, or that is not
  /// closed and begins with a limit, and stays in the text: whoever obeys flags must not go on as if there were no limit.
  package var mistakenLimit: Ignored?

  package init(
    strippedText: String, understood: [Understood] = [], ignored: [Ignored] = [],
    unreadCount: Int = 0, mistakenLimit: Ignored? = nil
  ) {
    self.strippedText = strippedText
    self.understood = understood
    self.ignored = ignored
    self.unreadCount = unreadCount
    self.mistakenLimit = mistakenLimit
  }

  package static let maximumBodyBytes = 256
  /// Flags that are read: of a long chat, one in each message and more.
  package static let maximumFlags = 1024

  /// The weights that the flags ask for; the last of several for one goal wins.
  package var weights: GoalWeights {
    var weights = GoalWeights()
    for flag in understood {
      if case .weight(let goal, let weight) = flag.meaning { try? weights.set(weight, for: goal) }
    }
    return weights
  }

  /// The constraints that the flags ask for, all at once.
  package var constraints: Constraints {
    understood.reduce(into: Constraints()) { all, flag in
      if case .constraint(let one) = flag.meaning { all = all.tightened(by: one) }
    }
  }

  /// The text that the expert reads: flags gone, literal `\[Flag:` without its backslash.
  package var expertText: String { Self.unescape(strippedText) }

  /// The flags of several texts (the messages of a chat) together; the text is the last one's.
  package static func merge(_ parts: [PromptFlags]) -> PromptFlags {
    PromptFlags(
      strippedText: parts.last?.strippedText ?? "",
      understood: parts.flatMap(\.understood), ignored: parts.flatMap(\.ignored),
      unreadCount: parts.reduce(0) { $0 + $1.unreadCount },
      mistakenLimit: parts.lazy.compactMap(\.mistakenLimit).first)
  }
}

extension PromptFlags {
  /// Finds and removes every flag, and reads the first ones.
  package static func parse(
    _ text: String, maximumFlags: Int = Self.maximumFlags
  ) -> PromptFlags {
    var scanner = FlagScanner(capacity: text.utf8.count, maximumFlags: maximumFlags)
    for byte in text.utf8 { scanner.take(byte) }
    return scanner.finish()
  }

  /// Removes the backslash of each literal `\[Flag:`.
  package static func unescape(_ text: String) -> String {
    let bytes = Array(text.utf8)
    guard bytes.contains(UInt8(ascii: "\\")) else { return text }
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count)
    for index in bytes.indices {
      if bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count,
        bytes[index + 1] == UInt8(ascii: "["),
        FlagScanner.bodyStart(in: bytes, openedAt: index + 1) != nil
      {
        continue
      }
      output.append(bytes[index])
    }
    return String(decoding: output, as: UTF8.self)
  }
}

/// Removes flags from the output as it is written.
///
/// The check happens when a `]` is about to be written, against the *output*, so that a flag that
/// only forms once another was taken out of its middle is taken out too, and the result holds no
/// flag: stripping is idempotent by construction.
private struct FlagScanner {
  private var output: [UInt8] = []
  /// Places of `[` in the output that a `]` could still close.
  private var open: [Int] = []
  private var understood: [PromptFlags.Understood] = []
  private var ignored: [PromptFlags.Ignored] = []
  private var unreadCount = 0
  private var mistakenLimit: PromptFlags.Ignored?
  private let maximumFlags: Int
  /// A flag was removed and nothing has been written since.
  private var justRemoved = false

  init(capacity: Int, maximumFlags: Int) {
    self.maximumFlags = maximumFlags
    output.reserveCapacity(capacity)
  }

  mutating func take(_ byte: UInt8) {
    if justRemoved, skips(byte) { return }
    switch byte {
    case UInt8(ascii: "]"):
      if let start = open.last, close(from: start) { return }
      // A body holds no bracket, so no earlier [ can open a flag any more.
      open.removeAll(keepingCapacity: true)
    case UInt8(ascii: "["):
      if output.last != UInt8(ascii: "\\") {
        open.append(output.count)
      } else {
        open.removeAll(keepingCapacity: true)
      }
    case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
      open.removeAll(keepingCapacity: true)
    default: break
    }
    justRemoved = false
    output.append(byte)
  }

  mutating func finish() -> PromptFlags {
    if justRemoved { trimTrailingBlanks() }
    lookForUnclosedLimits()
    return PromptFlags(
      strippedText: String(decoding: output, as: UTF8.self), understood: understood,
      ignored: ignored, unreadCount: unreadCount, mistakenLimit: mistakenLimit)
  }

  /// What the output still holds that begins as a flag was not closed as one. Where it begins with a limit, somebody
  /// meant that.
  private mutating func lookForUnclosedLimits() {
    var examined = 0
    for start in output.indices where output[start] == UInt8(ascii: "[") {
      guard start == 0 || output[start - 1] != UInt8(ascii: "\\"),
        let bodyStart = Self.bodyStart(in: output, openedAt: start)
      else { continue }
      guard understood.count + ignored.count + examined < maximumFlags else {
        unreadCount += 1
        continue
      }
      examined += 1
      let rest = output[bodyStart...].prefix(PromptFlags.maximumBodyBytes)
      let line = rest.prefix { !"[]\n\r".utf8.contains($0) }
      guard mistakenLimit == nil,
        let limit = PromptFlagMeaning.limit(
          beginning: String(decoding: line, as: UTF8.self).trimmedBlanks)
      else { continue }
      mistakenLimit = .init(text: limit, reason: "has no closing bracket behind it on its line")
    }
  }

  /// Of the white space around a removed flag only one side stays.
  private mutating func skips(_ byte: UInt8) -> Bool {
    if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
      guard let last = output.last else { return true }
      return [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n")].contains(last)
    }
    if byte == UInt8(ascii: "\n") {
      trimTrailingBlanks()
      // A line that held nothing but the flag goes with it, once.
      if output.isEmpty || output.last == UInt8(ascii: "\n") {
        justRemoved = false
        return true
      }
    }
    return false
  }

  private mutating func trimTrailingBlanks() {
    while let last = output.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") {
      output.removeLast()
    }
  }

  /// If the output from `start` reads as an opened flag, takes it out.
  private mutating func close(from start: Int) -> Bool {
    guard start < output.count, output.count - start <= PromptFlags.maximumBodyBytes + 32,
      let bodyStart = Self.bodyStart(in: output, openedAt: start),
      output.count - bodyStart <= PromptFlags.maximumBodyBytes
    else { return false }
    let body = String(decoding: output[bodyStart...], as: UTF8.self).trimmedBlanks
    output.removeSubrange(start...)
    open.removeLast()
    justRemoved = true
    for part in PromptFlagMeaning.parts(of: body) {
      guard understood.count + ignored.count < maximumFlags else {
        unreadCount += 1
        continue
      }
      switch PromptFlagMeaning.read(part) {
      case .success(let meaning): understood.append(.init(text: part, meaning: meaning))
      case .failure(let problem):
        ignored.append(.init(text: part, reason: problem.reason))
        if problem.isOfLimit { mistakenLimit = mistakenLimit ?? ignored.last }
      }
    }
    return true
  }

  /// Where the body starts if `[ flag :` stands at `start`; blanks may stand around the word.
  static func bodyStart(in bytes: [UInt8], openedAt start: Int) -> Int? {
    var index = start + 1
    func skipBlanks() {
      var skipped = 0
      while index < bytes.count, skipped < 8,
        bytes[index] == UInt8(ascii: " ") || bytes[index] == UInt8(ascii: "\t")
      {
        index += 1
        skipped += 1
      }
    }
    skipBlanks()
    for letter in "flag".utf8 {
      guard index < bytes.count, bytes[index] | 0x20 == letter else { return nil }
      index += 1
    }
    skipBlanks()
    guard index < bytes.count, bytes[index] == UInt8(ascii: ":") else { return nil }
    return index + 1
  }
}

extension String {
  /// Without spaces and tabs at both ends.
  var trimmedBlanks: String {
    var part = self[...]
    while let first = part.first, first == " " || first == "\t" { part.removeFirst() }
    while let last = part.last, last == " " || last == "\t" { part.removeLast() }
    return String(part)
  }
}
