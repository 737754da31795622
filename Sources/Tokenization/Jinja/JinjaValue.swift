/// A value while a template is being rendered. Behaves as Python's would.
enum JinjaValue {
  case undefined(String)
  case none
  case bool(Bool)
  case int(Int)
  case float(Double)
  case string(String)
  case list(JinjaList)
  case dictionary(JinjaDictionary)
  case namespace(JinjaNamespace)
  case loop(JinjaLoopState)
  case macro(JinjaMacroSyntax)
  case function(String)

  /// How deep lists and dictionaries may hold one another; recursive work on values is bounded
  /// by this.
  static let maximumNesting = 64

  var nesting: Int {
    switch self {
    case .list(let list): list.nesting
    case .dictionary(let dictionary): dictionary.nesting
    // A namespace can be made to hold itself through its attributes, and a loop holds what it goes
    // through, the loops before it perhaps: neither may be held.
    case .namespace, .loop: Self.maximumNesting
    default: 0
    }
  }

  /// The name of the type, for messages.
  var typeName: String {
    switch self {
    case .undefined(let name): "undefined \(name)"
    case .none: "none"
    case .bool: "a boolean"
    case .int, .float: "a number"
    case .string: "a string"
    case .list: "a list"
    case .dictionary: "a dictionary"
    case .namespace: "a namespace"
    case .loop: "the loop"
    case .macro, .function: "a function"
    }
  }

  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .int(let value): value != 0
    case .float(let value): value != 0
    case .string(let value): !value.isEmpty
    case .list(let list): !list.items.isEmpty
    case .dictionary(let dictionary): !dictionary.keys.isEmpty
    case .namespace, .loop, .macro, .function: true
    }
  }
}

/// An immutable list. A class, so that values stay small and sharing is cheap.
final class JinjaList {
  let items: [JinjaValue]
  let nesting: Int

  init(_ items: [JinjaValue]) {
    self.items = items
    nesting = 1 + (items.lazy.map(\.nesting).max() ?? 0)
  }
}

/// An immutable dictionary with string keys that keeps their order.
final class JinjaDictionary {
  let keys: [String]
  let values: [String: JinjaValue]
  let nesting: Int

  /// The last of equal keys counts, at the first one's place.
  init(_ pairs: [(key: String, value: JinjaValue)]) {
    var keys: [String] = []
    var values: [String: JinjaValue] = [:]
    for pair in pairs {
      if values.updateValue(pair.value, forKey: pair.key) == nil { keys.append(pair.key) }
    }
    self.keys = keys
    self.values = values
    nesting = 1 + (values.values.lazy.map(\.nesting).max() ?? 0)
  }
}

/// What `namespace()` makes: attributes that a loop's body can set.
final class JinjaNamespace {
  var attributes: [String: JinjaValue]
  init(_ attributes: [String: JinjaValue]) { self.attributes = attributes }
}

/// What `loop` is in a loop's body.
final class JinjaLoopState {
  let items: [JinjaValue]
  var index = 0
  let depth: Int

  init(items: [JinjaValue], depth: Int) {
    self.items = items
    self.depth = depth
  }

  subscript(attribute: String) -> JinjaValue? {
    switch attribute {
    case "index": .int(index + 1)
    case "index0": .int(index)
    case "revindex": .int(items.count - index)
    case "revindex0": .int(items.count - index - 1)
    case "first": .bool(index == 0)
    case "last": .bool(index == items.count - 1)
    case "length": .int(items.count)
    case "depth": .int(depth)
    case "depth0": .int(depth - 1)
    case "previtem": index > 0 ? items[index - 1] : .undefined("previtem")
    case "nextitem": index + 1 < items.count ? items[index + 1] : .undefined("nextitem")
    default: nil
    }
  }
}
