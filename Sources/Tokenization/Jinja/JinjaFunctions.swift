#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The functions that a template can call by name.
enum JinjaFunctions {
  static let names: Set<String> = [
    "range", "namespace", "dict", "raise_exception", "strftime_now",
  ]
  /// As in Jinja's sandbox.
  static let maximumRange = 100_000
}

extension JinjaInterpreter {
  mutating func call(
    _ callee: JinjaExpression, _ arguments: JinjaArguments
  ) throws(ChatTemplateError) -> JinjaValue {
    if case .attribute(let object, let name) = callee {
      let object = try evaluate(object)
      return try method(name, of: object, try JinjaCall(arguments, &self))
    }
    let function = try evaluate(callee)
    let call = try JinjaCall(arguments, &self)
    switch function {
    case .macro(let macro): return try self.call(macro, call.positional, call.named)
    case .function(let name): return try self.call(function: name, call)
    case .undefined(let name): throw error("function \(name) is not known")
    default: throw error("\(function.typeName) is not a function")
    }
  }

  private mutating func call(
    function name: String, _ call: JinjaCall
  ) throws(ChatTemplateError) -> JinjaValue {
    switch name {
    case "range": return try range(call)
    case "namespace":
      var attributes: [String: JinjaValue] = [:]
      if case .dictionary(let dictionary)? = call.positional.first {
        attributes = dictionary.values
      }
      for argument in call.named {
        guard argument.value.nesting < JinjaValue.maximumNesting else {
          throw limit("values nest too deep")
        }
        attributes[argument.name] = argument.value
      }
      return .namespace(JinjaNamespace(attributes))
    case "dict": return try dictionary(call.named.map { ($0.name, $0.value) })
    case "raise_exception":
      let message = try call.positional.first.map { value throws(ChatTemplateError) in
        try text(of: value)
      }
      throw ChatTemplateError(
        kind: .raised, message: message ?? "the chat template refuses the messages", line: line)
    default: return try string(try formattedTime(call.string(0, "format") ?? ""))
    }
  }

  private mutating func range(_ call: JinjaCall) throws(ChatTemplateError) -> JinjaValue {
    let bounds = call.positional.compactMap(\.integer)
    guard bounds.count == call.positional.count, (1...3).contains(bounds.count) else {
      throw error("range takes one to three integers")
    }
    let start = bounds.count == 1 ? 0 : bounds[0]
    let stop = bounds.count == 1 ? bounds[0] : bounds[1]
    let step = bounds.count == 3 ? bounds[2] : 1
    guard step != 0 else { throw error("range's step is zero") }
    var items: [JinjaValue] = []
    var value = start
    while step > 0 ? value < stop : value > stop {
      guard items.count < JinjaFunctions.maximumRange else { throw limit("a range is too long") }
      items.append(.int(value))
      let (next, overflow) = value.addingReportingOverflow(step)
      if overflow { break }
      value = next
    }
    return try list(items)
  }

  private func formattedTime(_ format: String) throws(ChatTemplateError) -> String {
    guard format.utf8.count <= 200 else { throw error("a time's format is too long") }
    var seconds = time_t(nowSeconds)
    var parts = tm()
    guard localtime_r(&seconds, &parts) != nil else { throw error("the time is out of range") }
    var buffer = [UInt8](repeating: 0, count: 1_024)
    let count = buffer.withUnsafeMutableBytes { raw in
      strftime(raw.baseAddress?.assumingMemoryBound(to: CChar.self), raw.count, format, &parts)
    }
    return String(decoding: buffer.prefix(count), as: UTF8.self)
  }
}
