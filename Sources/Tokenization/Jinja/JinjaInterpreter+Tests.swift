extension JinjaInterpreter {
  /// `value is name(arguments)`.
  mutating func test(
    _ name: String, _ value: JinjaValue, _ arguments: [JinjaValue]
  ) throws(ChatTemplateError) -> Bool {
    if case .string(let text) = value, name == "lower" || name == "upper" {
      try charge(bytes: text.utf8.count)
    }
    return switch name {
    case "defined": if case .undefined = value { false } else { true }
    case "undefined": if case .undefined = value { true } else { false }
    case "none": if case .none = value { true } else { false }
    case "string": if case .string = value { true } else { false }
    case "mapping": if case .dictionary = value { true } else { false }
    case "boolean": if case .bool = value { true } else { false }
    case "true": if case .bool(true) = value { true } else { false }
    case "false": if case .bool(false) = value { true } else { false }
    case "integer": if case .int = value { true } else { false }
    case "float": if case .float = value { true } else { false }
    case "number": value.number != nil
    case "callable":
      switch value {
      case .macro, .function: true
      default: false
      }
    case "sequence", "iterable":
      switch value {
      case .string, .list, .dictionary: true
      case .undefined: true
      default: false
      }
    case "odd", "even":
      try integer(value, name) & 1 == (name == "odd" ? 1 : 0)
    case "divisibleby":
      switch try integer(try argument(arguments, name), name) {
      case 0: throw error("divisible by zero")
      // Apart, because Int.min % -1 overflows.
      case -1: true
      case let divisor: try integer(value, name) % divisor == 0
      }
    case "equalto", "eq", "sameas": try equal(value, try argument(arguments, name))
    case "ne": !(try equal(value, try argument(arguments, name)))
    case "lt", "lessthan": try compare("<", value, try argument(arguments, name))
    case "le": try compare("<=", value, try argument(arguments, name))
    case "gt", "greaterthan": try compare(">", value, try argument(arguments, name))
    case "ge": try compare(">=", value, try argument(arguments, name))
    case "in": try contains(try argument(arguments, name), value)
    case "lower", "upper":
      if case .string(let text) = value {
        JinjaText.equal(text, name == "lower" ? text.lowercased() : text.uppercased())
      } else {
        false
      }
    default: throw error("test \(name) is not known")
    }
  }

  private func argument(
    _ arguments: [JinjaValue], _ name: String
  ) throws(ChatTemplateError) -> JinjaValue {
    guard let first = arguments.first else { throw error("test \(name) needs an argument") }
    return first
  }

  private func integer(
    _ value: JinjaValue, _ name: String
  ) throws(ChatTemplateError) -> Int {
    guard let integer = value.integer else {
      throw error("test \(name) needs an integer, not \(value.typeName)")
    }
    return integer
  }
}
