/// Header fields in the order in which they came or will be sent. Names compare without regard
/// to ASCII case; one name may occur more than once.
package struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral, Sequence {
  /// One header field.
  package struct Field: Sendable, Equatable {
    package var name: String
    package var value: String
  }

  private var fields: [Field] = []

  package init() {}

  package init(dictionaryLiteral elements: (String, String)...) {
    fields = elements.map { Field(name: $0.0, value: $0.1) }
  }

  /// The number of fields.
  package var count: Int { fields.count }

  package var isEmpty: Bool { fields.isEmpty }

  /// The first value of `name`; setting replaces every field of that name, or removes them (nil).
  package subscript(name: String) -> String? {
    get { fields.first { Self.namesEqual($0.name, name) }?.value }
    set {
      if let newValue { set(name, newValue) } else { remove(name) }
    }
  }

  /// All values of `name`, in order.
  package func values(_ name: String) -> [String] {
    fields.compactMap { Self.namesEqual($0.name, name) ? $0.value : nil }
  }

  package func contains(_ name: String) -> Bool {
    fields.contains { Self.namesEqual($0.name, name) }
  }

  /// Appends a field, whether or not the name is there already.
  package mutating func add(_ name: String, _ value: String) {
    fields.append(Field(name: name, value: value))
  }

  /// Makes `value` the only value of `name`, in the place of the first field of that name.
  package mutating func set(_ name: String, _ value: String) {
    guard let first = fields.firstIndex(where: { Self.namesEqual($0.name, name) }) else {
      return add(name, value)
    }
    fields[first].value = value
    var index = fields.count - 1
    while index > first {
      if Self.namesEqual(fields[index].name, name) { fields.remove(at: index) }
      index -= 1
    }
  }

  /// Removes every field of `name`.
  package mutating func remove(_ name: String) {
    fields.removeAll { Self.namesEqual($0.name, name) }
  }

  package func makeIterator() -> IndexingIterator<[Field]> { fields.makeIterator() }

  /// Whether two names are the same field: ASCII case does not matter.
  package static func namesEqual(_ left: String, _ right: String) -> Bool {
    let left = left.utf8
    let right = right.utf8
    guard left.count == right.count else { return false }
    return left.elementsEqual(right) { ASCII.lowercased($0) == ASCII.lowercased($1) }
  }
}
