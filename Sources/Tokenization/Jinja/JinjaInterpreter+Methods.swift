extension JinjaInterpreter {
  /// Python's methods of strings, dictionaries and lists, as far as chat templates use them.
  mutating func method(
    _ name: String, of object: JinjaValue, _ call: JinjaCall
  ) throws(ChatTemplateError) -> JinjaValue {
    switch object {
    case .string(let text): return try method(name, of: text, call)
    case .dictionary(let dictionary): return try method(name, of: dictionary, call)
    case .list(let list):
      if name == "index" || name == "count", let value = call.positional.first {
        var matches: [Int] = []
        for (index, item) in list.items.enumerated() where try equal(item, value) {
          matches.append(index)
        }
        if name == "count" { return .int(matches.count) }
        if let first = matches.first { return .int(first) }
        throw error("the list does not have what index() looks for")
      }
    case .namespace(let namespace):
      if case .macro(let macro)? = namespace.attributes[name] {
        return try self.call(macro, call.positional, call.named)
      }
    case .loop(let state):
      if name == "cycle", !call.positional.isEmpty {
        return call.positional[state.index % call.positional.count]
      }
    case .undefined(let owner): throw error("\(owner) is undefined, so it has no \(name)")
    default: break
    }
    throw error("\(object.typeName) has no method \(name)")
  }

  private mutating func method(
    _ name: String, of dictionary: JinjaDictionary, _ call: JinjaCall
  ) throws(ChatTemplateError) -> JinjaValue {
    switch name {
    case "items": return try items(of: dictionary)
    case "keys": return try list(dictionary.keys.map { .string($0) })
    case "values":
      return try list(dictionary.keys.map { dictionary.values[$0] ?? .none })
    case "get":
      guard let key = call.string(0, "key") else { return call[1, "default"] ?? .none }
      try charge(bytes: key.utf8.count)
      return dictionary.values[key] ?? call[1, "default"] ?? .none
    default: throw error("a dictionary has no method \(name)")
    }
  }

  mutating func items(of dictionary: JinjaDictionary) throws(ChatTemplateError) -> JinjaValue {
    var pairs: [JinjaValue] = []
    for key in dictionary.keys {
      pairs.append(try list([.string(key), dictionary.values[key] ?? .none]))
    }
    return try list(pairs)
  }

  private mutating func method(
    _ name: String, of text: String, _ call: JinjaCall
  ) throws(ChatTemplateError) -> JinjaValue {
    try charge(bytes: text.utf8.count)
    let argument = call.string(0, "")
    if name.hasSuffix("strip") { try charge(bytes: (argument?.utf8.count ?? 0) * 8) }
    switch name {
    case "strip": return try string(JinjaText.strip(text, argument))
    case "lstrip": return try string(JinjaText.strip(text, argument, right: false))
    case "rstrip": return try string(JinjaText.strip(text, argument, left: false))
    case "lower": return try string(text.lowercased())
    case "upper": return try string(text.uppercased())
    case "title": return try string(JinjaText.title(text))
    case "capitalize": return try string(JinjaText.capitalize(text))
    case "startswith", "endswith":
      for candidate in try candidates(call) {
        let matches =
          name == "startswith"
          ? JinjaText.hasPrefix(text, candidate) : JinjaText.hasSuffix(text, candidate)
        if matches { return .bool(true) }
      }
      return .bool(false)
    case "removeprefix":
      guard let argument, JinjaText.hasPrefix(text, argument) else { return .string(text) }
      return try string(String(decoding: text.utf8.dropFirst(argument.utf8.count), as: UTF8.self))
    case "removesuffix":
      guard let argument, JinjaText.hasSuffix(text, argument) else { return .string(text) }
      return try string(String(decoding: text.utf8.dropLast(argument.utf8.count), as: UTF8.self))
    case "split", "rsplit":
      return try split(
        text, call.string(0, "sep"), limit: call.int(1, "maxsplit") ?? -1,
        fromRight: name == "rsplit")
    case "splitlines":
      // As many parts as bytes, perhaps, and each a value.
      try charge(bytes: text.utf8.count * 16)
      return try list(JinjaText.splitLines(text).map { .string($0) })
    case "replace":
      guard let old = argument, let new = call.string(1, "") else {
        throw error("replace takes two strings")
      }
      return try replaced(text, old, new, limit: call.int(2, "count") ?? -1)
    case "format": return try formatted(text, call)
    case "join":
      guard let first = call.positional.first else { throw error("join takes a list") }
      return try joined(try iterate(first), separator: text)
    case "find", "count":
      guard let argument else { throw error("\(name) takes a string") }
      try charge(bytes: text.utf8.count + argument.utf8.count)
      if name == "count" {
        try charge(bytes: text.utf8.count * 8)
        return .int(argument.isEmpty ? 0 : JinjaText.split(text, argument).count - 1)
      }
      let bytes = Array(text.utf8)
      guard let offset = JinjaText.find(Array(argument.utf8), in: bytes) else { return .int(-1) }
      return .int(String(decoding: bytes[..<offset], as: UTF8.self).unicodeScalars.count)
    case "isdigit":
      return .bool(
        !text.isEmpty
          && text.unicodeScalars.allSatisfy {
            $0.properties.numericType == .decimal || $0.properties.numericType == .digit
          })
    case "isalpha":
      return .bool(
        !text.isEmpty
          && text.unicodeScalars.allSatisfy { !ScalarClass($0).isDisjoint(with: .letter) })
    case "isspace":
      return .bool(!text.isEmpty && text.unicodeScalars.allSatisfy(JinjaText.isSpace))
    default: throw error("a string has no method \(name)")
    }
  }

  /// Python's `str.format` with fields that are empty, a number or a name; how a field is to be laid out is
  /// not understood.
  private mutating func formatted(
    _ text: String, _ call: JinjaCall
  ) throws(ChatTemplateError) -> JinjaValue {
    var result = ""
    var next = 0
    var rest = text.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      guard scalar == "{" || scalar == "}" else {
        result.unicodeScalars.append(scalar)
        continue
      }
      if rest.first == scalar {
        rest.removeFirst()
        result.unicodeScalars.append(scalar)
        continue
      }
      guard scalar == "{", let end = rest.firstIndex(of: "}") else {
        throw error("format: a single \(scalar)")
      }
      let field = String(rest[..<end])
      rest = rest[rest.index(after: end)...]
      let value: JinjaValue?
      if field.isEmpty {
        value = call.positional.indices.contains(next) ? call.positional[next] : nil
        next += 1
      } else if let index = Int(field) {
        value = call.positional.indices.contains(index) ? call.positional[index] : nil
      } else {
        value = call.named.last { $0.name == field }?.value
      }
      guard let value else { throw error("format: nothing for {\(field)}") }
      result += try self.text(of: value)
      try checkLength(result.utf8.count)
    }
    return try string(result)
  }

  /// `startswith` takes a string or a tuple of them.
  private mutating func candidates(_ call: JinjaCall) throws(ChatTemplateError) -> [String] {
    var candidates: [String] = []
    for value in call.positional.prefix(1) {
      let values: [JinjaValue]
      if case .list(let list) = value { values = list.items } else { values = [value] }
      for value in values {
        guard case .string(let text) = value else {
          throw error("startswith and endswith take strings")
        }
        try charge(bytes: text.utf8.count)
        candidates.append(text)
      }
    }
    return candidates
  }

  private mutating func split(
    _ text: String, _ separator: String?, limit: Int, fromRight: Bool
  ) throws(ChatTemplateError) -> JinjaValue {
    try charge(bytes: text.utf8.count * 16)
    guard let separator else {
      return try list(JinjaText.splitWords(text).map { .string($0) })
    }
    guard !separator.isEmpty else { throw error("split by an empty string") }
    let parts = JinjaText.split(text, separator, limit: limit, fromRight: fromRight)
    return try list(parts.map { .string($0) })
  }

  mutating func replaced(
    _ text: String, _ old: String, _ new: String, limit: Int = -1
  ) throws(ChatTemplateError) -> JinjaValue {
    try charge(bytes: text.utf8.count * 8 + old.utf8.count)
    if old.isEmpty { return .string(text) }
    // An upper bound on the result, before it is made.
    let places = text.utf8.count / old.utf8.count
    let (growth, overflow) = places.multipliedReportingOverflow(by: new.utf8.count)
    if overflow || growth > Self.baseBytes {
      let count = JinjaText.split(text, old, limit: limit).count - 1
      let (exact, overflow) = count.multipliedReportingOverflow(by: new.utf8.count)
      try checkLength(overflow ? .max : exact)
    }
    return try string(JinjaText.replace(text, old, new, limit: limit))
  }

  mutating func joined(
    _ items: [JinjaValue], separator: String
  ) throws(ChatTemplateError) -> JinjaValue {
    var result = ""
    for (index, item) in items.enumerated() {
      if index > 0 { result += separator }
      result += try text(of: item)
      try checkLength(result.utf8.count)
    }
    return try string(result)
  }
}
