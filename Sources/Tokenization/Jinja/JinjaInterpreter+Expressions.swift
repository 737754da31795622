extension JinjaInterpreter {
  mutating func evaluate(_ expression: JinjaExpression) throws(ChatTemplateError) -> JinjaValue {
    try charge()
    try enter()
    defer { leave() }
    switch expression {
    case .none: return .none
    case .bool(let value): return .bool(value)
    case .int(let value): return .int(value)
    case .float(let value): return .float(value)
    case .string(let value): return .string(value)
    case .name(let name): return lookUp(name)
    case .list(let items): return try list(try evaluate(items))
    case .dictionary(let pairs):
      var result: [(key: String, value: JinjaValue)] = []
      for pair in pairs {
        let key = try evaluate(pair.key)
        guard case .string(let key) = key else {
          throw error("a dictionary's key is \(key.typeName), expected a string")
        }
        result.append((key, try evaluate(pair.value)))
      }
      return try dictionary(result)
    case .attribute(let object, let name): return try attribute(name, of: try evaluate(object))
    case .item(let object, let index):
      return try item(try evaluate(index), of: try evaluate(object))
    case .slice(let object, let start, let stop, let step):
      return try slice(
        try evaluate(object), try bound(start), try bound(stop), try bound(step) ?? 1)
    case .call(let callee, let arguments): return try call(callee, arguments)
    case .filter(let value, let name, let arguments):
      let value = try evaluate(value)
      return try filter(name, value, try JinjaCall(arguments, &self))
    case .test(let value, let name, let arguments):
      let value = try evaluate(value)
      return .bool(try test(name, value, try evaluate(arguments.positional)))
    case .negate(let value):
      switch try evaluate(value) {
      case .int(let value): return .int(0 &- value)
      case .float(let value): return .float(-value)
      case let other: throw error("cannot negate \(other.typeName)")
      }
    case .not(let value): return .bool(!(try evaluate(value).isTrue))
    case .and(let left, let right):
      let left = try evaluate(left)
      return left.isTrue ? try evaluate(right) : left
    case .or(let left, let right):
      let left = try evaluate(left)
      return left.isTrue ? left : try evaluate(right)
    case .binary(let operation, let left, let right):
      return try binary(operation, try evaluate(left), try evaluate(right))
    case .compare(let first, let rest):
      var left = try evaluate(first)
      for part in rest {
        let right = try evaluate(part.value)
        guard try compare(part.operation, left, right) else { return .bool(false) }
        left = right
      }
      return .bool(true)
    case .conditional(let value, let condition, let otherwise):
      if try evaluate(condition).isTrue { return try evaluate(value) }
      guard let otherwise else { return .undefined("the missing else") }
      return try evaluate(otherwise)
    }
  }

  mutating func evaluate(
    _ expressions: [JinjaExpression]
  ) throws(ChatTemplateError) -> [JinjaValue] {
    var values: [JinjaValue] = []
    for expression in expressions { values.append(try evaluate(expression)) }
    return values
  }

  // MARK: - Parts of values

  func attribute(_ name: String, of object: JinjaValue) throws(ChatTemplateError) -> JinjaValue {
    switch object {
    case .dictionary(let dictionary): dictionary.values[name] ?? .undefined(name)
    case .namespace(let namespace): namespace.attributes[name] ?? .undefined(name)
    case .loop(let state): state[name] ?? .undefined(name)
    case .undefined(let owner): throw error("\(owner) is undefined, so it has no \(name)")
    default: .undefined(name)
    }
  }

  mutating func item(
    _ index: JinjaValue, of object: JinjaValue
  ) throws(ChatTemplateError) -> JinjaValue {
    switch (object, index) {
    case (.list(let list), .int(let index)):
      let position = index < 0 ? index + list.items.count : index
      return list.items.indices.contains(position)
        ? list.items[position] : .undefined("item \(index)")
    case (.string(let text), .int(let index)):
      // Taking a text apart costs several times what copying it does.
      try charge(bytes: text.utf8.count * 8)
      let scalars = Array(text.unicodeScalars)
      let position = index < 0 ? index + scalars.count : index
      return scalars.indices.contains(position)
        ? .string(String(Character(scalars[position]))) : .undefined("item \(index)")
    case (_, .string(let name)):
      try charge(bytes: name.utf8.count)
      return try attribute(name, of: object)
    case (.undefined(let owner), _): throw error("\(owner) is undefined, so it has no items")
    default: return .undefined("an item")
    }
  }

  private mutating func bound(
    _ expression: JinjaExpression?
  ) throws(ChatTemplateError) -> Int? {
    guard let expression else { return nil }
    switch try evaluate(expression) {
    case .int(let value): return value
    case .none: return nil
    case let other: throw error("a slice's bound is \(other.typeName), expected an integer")
    }
  }

  private mutating func slice(
    _ object: JinjaValue, _ start: Int?, _ stop: Int?, _ step: Int
  ) throws(ChatTemplateError) -> JinjaValue {
    guard step != 0 else { throw error("a slice's step is zero") }
    switch object {
    case .list(let list):
      return try self.list(Self.slice(list.items, start, stop, step))
    case .string(let text):
      try charge(bytes: text.utf8.count * 8)
      var view = String.UnicodeScalarView()
      view.append(contentsOf: Self.slice(Array(text.unicodeScalars), start, stop, step))
      return try string(String(view))
    default: throw error("cannot slice \(object.typeName)")
    }
  }

  /// Python's slice.
  private static func slice<Item>(
    _ items: [Item], _ start: Int?, _ stop: Int?, _ step: Int
  ) -> [Item] {
    let count = items.count
    func position(_ index: Int?, _ standard: Int) -> Int {
      guard let index else { return standard }
      let lower = step > 0 ? 0 : -1
      let upper = step > 0 ? count : count - 1
      let fromFront = index < 0 ? (index < -count ? lower : index + count) : index
      return min(max(fromFront, lower), upper)
    }
    var index = position(start, step > 0 ? 0 : count - 1)
    let end = position(stop, step > 0 ? count : -1)
    var result: [Item] = []
    while step > 0 ? index < end : index > end {
      result.append(items[index])
      let (next, overflow) = index.addingReportingOverflow(step)
      if overflow { break }
      index = next
    }
    return result
  }

  // MARK: - Operators

  mutating func binary(
    _ operation: String, _ left: JinjaValue, _ right: JinjaValue
  ) throws(ChatTemplateError) -> JinjaValue {
    if operation == "~" { return try joined(try text(of: left), try text(of: right)) }
    switch (operation, left, right) {
    case ("+", .string(let a), .string(let b)): return try joined(a, b)
    case ("+", .list(let a), .list(let b)):
      guard a.items.count + b.items.count <= Self.maximumListCount else {
        throw limit("a list is too long")
      }
      return try list(a.items + b.items)
    case ("*", .string(let text), .int(let count)), ("*", .int(let count), .string(let text)):
      let (bytes, overflow) = text.utf8.count.multipliedReportingOverflow(by: max(0, count))
      try checkLength(overflow ? .max : bytes)
      return try string(String(repeating: text, count: text.isEmpty ? 0 : max(0, count)))
    default: break
    }
    if let a = left.integer, let b = right.integer, operation != "/" {
      if let result = try Self.arithmetic(operation, a, b) { return .int(result) }
      throw error("\(a) \(operation) \(b) has no result")
    }
    guard let a = left.number, let b = right.number else {
      throw error("cannot apply \(operation) to \(left.typeName) and \(right.typeName)")
    }
    switch operation {
    case "+": return .float(a + b)
    case "-": return .float(a - b)
    case "*": return .float(a * b)
    case "/" where b != 0: return .float(a / b)
    case "//" where b != 0: return .float((a / b).rounded(.down))
    case "%" where b != 0: return .float(a - b * (a / b).rounded(.down))
    default: throw error("\(a) \(operation) \(b) has no result")
    }
  }

  private static func arithmetic(
    _ operation: String, _ a: Int, _ b: Int
  ) throws(ChatTemplateError) -> Int? {
    func checked(_ result: (partialValue: Int, overflow: Bool)) -> Int? {
      result.overflow ? nil : result.partialValue
    }
    switch operation {
    case "+": return checked(a.addingReportingOverflow(b))
    case "-": return checked(a.subtractingReportingOverflow(b))
    case "*": return checked(a.multipliedReportingOverflow(by: b))
    case "//", "%":
      // Rounded down, as in Python; b = -1 is set apart because Int.min / -1 overflows.
      if b == 0 { return nil }
      if b == -1 { return operation == "%" ? 0 : checked(0.subtractingReportingOverflow(a)) }
      let quotient = a / b
      let remainder = a % b
      let adjust = remainder != 0 && (remainder < 0) != (b < 0)
      return operation == "//" ? quotient - (adjust ? 1 : 0) : remainder + (adjust ? b : 0)
    case "**":
      guard b >= 0, b <= 64 else { return nil }
      var result = 1
      for _ in 0..<b {
        guard let next = checked(result.multipliedReportingOverflow(by: a)) else { return nil }
        result = next
      }
      return result
    default: return nil
    }
  }

  private mutating func joined(_ a: String, _ b: String) throws(ChatTemplateError) -> JinjaValue {
    try checkLength(a.utf8.count + b.utf8.count)
    return try string(a + b)
  }

  mutating func compare(
    _ operation: String, _ left: JinjaValue, _ right: JinjaValue
  ) throws(ChatTemplateError) -> Bool {
    switch operation {
    case "==": return try equal(left, right)
    case "!=": return !(try equal(left, right))
    case "in": return try contains(right, left)
    case "not in": return !(try contains(right, left))
    default: break
    }
    let order: (less: Bool, equal: Bool)
    if let a = left.number, let b = right.number {
      order = (a < b, a == b)
    } else if case (.string(let a), .string(let b)) = (left, right) {
      try charge(bytes: min(a.utf8.count, b.utf8.count))
      order = (JinjaText.less(a, b), JinjaText.equal(a, b))
    } else {
      throw error("cannot order \(left.typeName) and \(right.typeName)")
    }
    switch operation {
    case "<": return order.less
    case "<=": return order.less || order.equal
    case ">": return !order.less && !order.equal
    default: return !order.less
    }
  }

  mutating func equal(_ left: JinjaValue, _ right: JinjaValue) throws(ChatTemplateError) -> Bool {
    try charge()
    if let a = left.number, let b = right.number { return a == b }
    switch (left, right) {
    case (.none, .none), (.undefined, .undefined): return true
    case (.string(let a), .string(let b)):
      guard a.utf8.count == b.utf8.count else { return false }
      try charge(bytes: a.utf8.count)
      return JinjaText.equal(a, b)
    case (.list(let a), .list(let b)):
      guard a.items.count == b.items.count else { return false }
      for (a, b) in zip(a.items, b.items) where !(try equal(a, b)) { return false }
      return true
    case (.dictionary(let a), .dictionary(let b)):
      guard a.keys.count == b.keys.count else { return false }
      for key in a.keys {
        guard let x = a.values[key], let y = b.values[key], try equal(x, y) else { return false }
      }
      return true
    case (.namespace(let a), .namespace(let b)): return a === b
    default: return false
    }
  }

  mutating func contains(
    _ container: JinjaValue, _ value: JinjaValue
  ) throws(ChatTemplateError) -> Bool {
    switch (container, value) {
    case (.string(let text), .string(let part)):
      try charge(bytes: text.utf8.count + part.utf8.count)
      let found = JinjaText.find(Array(part.utf8), in: Array(text.utf8))
      return found != nil
    case (.list(let list), _):
      for item in list.items where try equal(item, value) { return true }
      return false
    case (.dictionary(let dictionary), .string(let key)):
      try charge(bytes: key.utf8.count)
      return dictionary.values[key] != nil
    case (.dictionary, _), (.undefined, _): return false
    default: throw error("cannot look for \(value.typeName) in \(container.typeName)")
    }
  }
}

extension JinjaValue {
  /// The value as an integer; booleans count, as in Python.
  var integer: Int? {
    switch self {
    case .int(let value): value
    case .bool(let value): value ? 1 : 0
    default: nil
    }
  }

  var number: Double? {
    if case .float(let value) = self { value } else { integer.map(Double.init) }
  }
}
