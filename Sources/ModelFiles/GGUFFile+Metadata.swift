/// Typed access to the metadata. The plain accessors give nil both for a missing key and for
/// another type; the `required` ones throw and name the key.
extension GGUFFile {
  package func string(_ key: String) -> String? { metadata[key]?.string }
  package func int(_ key: String) -> Int? { metadata[key]?.int }
  package func double(_ key: String) -> Double? { metadata[key]?.double }
  package func bool(_ key: String) -> Bool? { metadata[key]?.bool }
  package func array(_ key: String) -> GGUFArray? { metadata[key]?.array }
  package func strings(_ key: String) -> [String]? { array(key)?.strings }
  package func ints(_ key: String) -> [Int]? { array(key)?.ints }
  package func floats(_ key: String) -> [Float]? { array(key)?.floats }

  package func requiredString(_ key: String) throws(ModelFileError) -> String {
    try required(key, "a string", \.string)
  }

  package func requiredInt(_ key: String) throws(ModelFileError) -> Int {
    try required(key, "an integer", \.int)
  }

  package func requiredDouble(_ key: String) throws(ModelFileError) -> Double {
    try required(key, "a number", \.double)
  }

  package func requiredArray(
    _ key: String, of type: GGUFValueType
  ) throws(ModelFileError) -> GGUFArray {
    let array = try required(key, "an array of \(type)", \.array)
    guard array.elementType == type else {
      throw ModelFileError(
        path: path, field: key,
        problem: .wrongType(
          found: "an array of \(array.elementType)", expected: "an array of \(type)"))
    }
    return array
  }

  /// A required integer within the range, for sizes that memory is allocated by.
  package func requiredInt(
    _ key: String, in range: ClosedRange<Int>
  ) throws(ModelFileError) -> Int {
    let value = try requiredInt(key)
    guard range.contains(value) else {
      throw ModelFileError(
        path: path, field: key,
        problem: .invalid(
          value: "\(value)", expected: "\(range.lowerBound) to \(range.upperBound)"))
    }
    return value
  }

  private func required<Value>(
    _ key: String, _ expected: String, _ access: (GGUFValue) -> Value?
  ) throws(ModelFileError) -> Value {
    guard let value = metadata[key] else {
      throw ModelFileError(path: path, field: key, problem: .missing)
    }
    guard let result = access(value) else {
      throw ModelFileError(
        path: path, field: key, problem: .wrongType(found: value.typeName, expected: expected))
    }
    return result
  }
}
