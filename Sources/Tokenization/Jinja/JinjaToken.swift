/// A token inside `{{ }}` or `{% %}`.
enum JinjaToken: Equatable, Sendable {
  case name(String)
  case string(String)
  case int(Int)
  case float(Double)
  case symbol(String)
  case end

  var text: String {
    switch self {
    case .name(let name): name
    case .string(let string): "\"\(string)\""
    case .int(let value): "\(value)"
    case .float(let value): "\(value)"
    case .symbol(let symbol): symbol
    case .end: "the tag's end"
    }
  }
}

/// A template cut at its tags.
enum JinjaSegment {
  case text(String)
  case output([JinjaToken], line: Int)
  case block([JinjaToken], line: Int)
}
