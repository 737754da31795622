extension JinjaInterpreter {
  /// `value | name(arguments)`.
  mutating func filter(
    _ name: String, _ value: JinjaValue, _ call: JinjaCall
  ) throws(ChatTemplateError) -> JinjaValue {
    // `map('map', …)` comes back here.
    try enter()
    defer { leave() }
    switch name {
    case "default", "d":
      let isMissing: Bool
      if case .undefined = value { isMissing = true } else { isMissing = false }
      let replacesFalse = call[1, "boolean"]?.isTrue ?? false
      return isMissing || (replacesFalse && !value.isTrue)
        ? call[0, "default_value"] ?? .string("") : value
    case "tojson":
      let escapes = if case .bool(true)? = call[0, "ensure_ascii"] { true } else { false }
      return try string(
        try json(
          // Jinja's own filter has the indent first, Hugging Face's has it second.
          value, indent: call.int(1, "indent") ?? call.int(0, "indent"),
          sortsKeys: call[3, "sort_keys"]?.isTrue ?? false,
          escapes: escapes))
    case "length", "count": return .int(try length(of: value))
    case "items":
      switch value {
      case .dictionary(let dictionary): return try items(of: dictionary)
      case .undefined: return try list([])
      default: throw error("filter items needs a dictionary, not \(value.typeName)")
      }
    case "string": return try string(try text(of: value))
    case "safe": return value
    case "int", "float", "abs", "round": return try numberFilter(name, value, call)
    case "trim", "lower", "upper", "title", "capitalize", "replace", "escape", "e", "indent",
      "wordcount":
      return try textFilter(name, try text(of: value), call)
    default: return try listFilter(name, value, call)
    }
  }

  private mutating func length(of value: JinjaValue) throws(ChatTemplateError) -> Int {
    switch value {
    case .string(let text):
      try charge(bytes: text.utf8.count)
      return text.unicodeScalars.count
    case .list(let list): return list.items.count
    case .dictionary(let dictionary): return dictionary.keys.count
    case .undefined: return 0
    default: throw error("\(value.typeName) has no length")
    }
  }

  private mutating func numberFilter(
    _ name: String, _ value: JinjaValue, _ call: JinjaCall
  ) throws(ChatTemplateError) -> JinjaValue {
    if case .string(let text) = value { try charge(bytes: text.utf8.count) }
    switch name {
    case "int":
      if let integer = value.integer { return .int(integer) }
      if case .float(let number) = value, let integer = Int(exactly: number.rounded(.towardZero)) {
        return .int(integer)
      }
      if case .string(let text) = value, let integer = Int(JinjaText.strip(text)) {
        return .int(integer)
      }
      return call[0, "default"] ?? .int(0)
    case "float":
      if let number = value.number { return .float(number) }
      if case .string(let text) = value, let number = Double(JinjaText.strip(text)) {
        return .float(number)
      }
      return call[0, "default"] ?? .float(0)
    case "abs":
      if let integer = value.integer { return .int(integer < 0 ? 0 &- integer : integer) }
      guard let number = value.number else { throw error("abs of \(value.typeName)") }
      return .float(number.magnitude)
    default:
      guard let number = value.number else { throw error("round of \(value.typeName)") }
      var scale = 1.0
      for _ in 0..<min(max(call.int(0, "precision") ?? 0, 0), 15) { scale *= 10 }
      return .float((number * scale).rounded(.toNearestOrEven) / scale)
    }
  }

  private mutating func textFilter(
    _ name: String, _ text: String, _ call: JinjaCall
  ) throws(ChatTemplateError) -> JinjaValue {
    try charge(bytes: text.utf8.count)
    switch name {
    case "trim":
      let characters = call.string(0, "chars")
      try charge(bytes: (characters?.utf8.count ?? 0) * 8)
      return try string(JinjaText.strip(text, characters))
    case "lower": return try string(text.lowercased())
    case "upper": return try string(text.uppercased())
    case "title": return try string(JinjaText.title(text))
    case "capitalize": return try string(JinjaText.capitalize(text))
    case "wordcount":
      try charge(bytes: text.utf8.count * 16)
      return .int(JinjaText.splitWords(text).count)
    case "replace":
      guard let old = call.string(0, "old"), let new = call.string(1, "new") else {
        throw error("replace takes two strings")
      }
      return try replaced(text, old, new, limit: call.int(2, "count") ?? -1)
    case "indent":
      let width = min(max(call.int(0, "width") ?? 4, 0), 64)
      let space = call.string(0, "width") ?? String(repeating: " ", count: width)
      let indentsFirst = call[1, "first"]?.isTrue ?? false
      let indentsBlank = call[2, "blank"]?.isTrue ?? false
      try charge(bytes: text.utf8.count * 16)
      let lines = JinjaText.splitLines(text + "\n")
      try checkLength(text.utf8.count + lines.count * space.utf8.count)
      let indented = lines.enumerated().map { index, line in
        (index == 0 ? indentsFirst : indentsBlank || !line.isEmpty) ? space + line : line
      }
      return try string(indented.joined(separator: "\n"))
    default:
      try checkLength(text.utf8.count * 5)
      var escaped = text
      for (plain, entity) in [
        ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&#39;"), ("\"", "&#34;"),
      ] { escaped = JinjaText.replace(escaped, plain, entity) }
      return try string(escaped)
    }
  }

  private mutating func listFilter(
    _ name: String, _ value: JinjaValue, _ call: JinjaCall
  ) throws(ChatTemplateError) -> JinjaValue {
    let isMapping = ["map", "select", "reject", "selectattr", "rejectattr"].contains(name)
    // Jinja looks at these filters' input only where it is true: there may be none.
    let items = isMapping && !value.isTrue ? [] : try iterate(value)
    switch name {
    case "list": return try list(items)
    case "first": return items.first ?? .undefined("the first item")
    case "last": return items.last ?? .undefined("the last item")
    case "reverse":
      if case .string(let text) = value {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: text.unicodeScalars.reversed())
        return try string(String(view))
      }
      return try list(items.reversed())
    case "join":
      var parts = items
      if let attribute = call.string(1, "attribute") {
        parts = try self.attribute(attribute, ofAll: items)
      }
      return try joined(parts, separator: call.string(0, "d") ?? "")
    case "sum":
      var total = call[1, "start"] ?? .int(0)
      for item in items { total = try binary("+", total, item) }
      return total
    case "unique":
      var kept: [JinjaValue] = []
      for item in items {
        var isNew = true
        for other in kept where try equal(other, item) {
          isNew = false
          break
        }
        if isNew { kept.append(item) }
      }
      return try list(kept)
    case "min", "max", "sort", "dictsort": return try ordered(name, value, items, call)
    case _ where isMapping: return try mapped(name, items, call)
    default: throw error("filter \(name) is not known")
    }
  }

  /// The attribute of every item; dots go deeper.
  private mutating func attribute(
    _ path: String, ofAll items: [JinjaValue]
  ) throws(ChatTemplateError) -> [JinjaValue] {
    var result: [JinjaValue] = []
    let parts = JinjaText.split(path, ".")
    for item in items {
      var value = item
      for part in parts {
        try charge()
        value = try self.item(Int(part).map { .int($0) } ?? .string(part), of: value)
      }
      result.append(value)
    }
    return result
  }

  private mutating func mapped(
    _ name: String, _ items: [JinjaValue], _ call: JinjaCall
  ) throws(ChatTemplateError) -> JinjaValue {
    var call = call
    var values = items
    if name == "map", let attribute = call.named.last(where: { $0.name == "attribute" })?.value {
      guard case .string(let path) = attribute else { throw error("map's attribute is no string") }
      let standard = call.named.last(where: { $0.name == "default" })?.value
      let mapped = try self.attribute(path, ofAll: items)
      return try list(
        mapped.map { if case .undefined = $0, let standard { standard } else { $0 } })
    }
    if name.hasSuffix("attr") {
      guard let path = call.string(0, "") else { throw error("\(name) needs an attribute") }
      values = try attribute(path, ofAll: items)
      call.positional.removeFirst()
    }
    let function = call.string(0, "")
    if !call.positional.isEmpty { call.positional.removeFirst() }
    var result: [JinjaValue] = []
    for (item, value) in zip(items, values) {
      try charge()
      if name == "map" {
        guard let function else { throw error("map needs a filter or an attribute") }
        result.append(try filter(function, value, call))
      } else {
        let passes =
          if let function { try test(function, value, call.positional) } else { value.isTrue }
        if passes == name.hasPrefix("select") { result.append(item) }
      }
    }
    return try list(result)
  }

  private mutating func ordered(
    _ name: String, _ value: JinjaValue, _ items: [JinjaValue], _ call: JinjaCall
  ) throws(ChatTemplateError) -> JinjaValue {
    if name == "dictsort" {
      guard case .dictionary(let dictionary) = value else { throw error("dictsort of a list") }
      try charge(bytes: dictionary.keys.count * 1_024)
      let keys = dictionary.keys.sorted { JinjaText.less($0.lowercased(), $1.lowercased()) }
      var pairs: [JinjaValue] = []
      for key in keys { pairs.append(try list([.string(key), dictionary.values[key] ?? .none])) }
      return try list(pairs)
    }
    var keys = items
    if let path = call.string(9, "attribute") { keys = try attribute(path, ofAll: items) }
    // Without case by default, as in Jinja.
    let sensitive = call.named.last(where: { $0.name == "case_sensitive" })?.value.isTrue ?? false
    var entries: [(key: JinjaValue, item: JinjaValue)] = []
    for (key, item) in zip(keys, items) {
      if case .string(let text) = key, !sensitive {
        try charge(bytes: text.utf8.count)
        entries.append((.string(text.lowercased()), item))
      } else {
        entries.append((key, item))
      }
    }
    let isReversed = name == "max" || (call[0, "reverse"]?.isTrue ?? false)
    let sorted = try mergeSorted(entries, isReversed ? ">" : "<")
    if name == "sort" { return try list(sorted.map(\.item)) }
    return sorted.first?.item ?? .undefined(name)
  }

  /// A stable sort whose comparisons can throw and are counted.
  private mutating func mergeSorted(
    _ entries: [(key: JinjaValue, item: JinjaValue)], _ operation: String
  ) throws(ChatTemplateError) -> [(key: JinjaValue, item: JinjaValue)] {
    if entries.count < 2 { return entries }
    let middle = entries.count / 2
    let left = try mergeSorted(Array(entries[..<middle]), operation)
    let right = try mergeSorted(Array(entries[middle...]), operation)
    var result: [(key: JinjaValue, item: JinjaValue)] = []
    var i = 0
    var j = 0
    while i < left.count, j < right.count {
      try charge()
      if try compare(operation, right[j].key, left[i].key) {
        result.append(right[j])
        j += 1
      } else {
        result.append(left[i])
        i += 1
      }
    }
    return result + left[i...] + right[j...]
  }
}
