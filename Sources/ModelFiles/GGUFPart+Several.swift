extension GGUFPart {
  private static let numberKey = "split.no"
  private static let countKey = "split.count"
  private static let tensorCountKey = "split.tensors.count"

  /// The other parts of a model that begins with this one, none where it is whole: each is there, says that
  /// it is that part of as many, and none has a tensor that another has.
  func laterParts() throws(ModelFileError) -> [GGUFPart] {
    let name = GGUFPartName(map.path)
    guard metadata[Self.countKey] != nil else {
      guard let name, name.count > 1 else { return [] }
      throw error(Self.countKey, .missing)
    }
    let count = try int(Self.countKey)
    // A model that llama.cpp's tool put together again says 0.
    guard count > 1 else { return [] }
    let number = try int(Self.numberKey)
    guard number == 0 else {
      throw error(
        Self.numberKey,
        .invalid(
          value: "\(number)", expected: "0: \(name?.path(ofPart: 1) ?? "the first part")"))
    }
    guard let name, name.number == 1, name.count == count else {
      throw error(
        Self.countKey,
        .invalid(
          value: "\(count)",
          expected: name.map { "\($0.count), as the file's name says" }
            ?? "1, or a file's name such as NAME-00001-of-00003.gguf, which says where the others are"
        ))
    }
    let tensorCount = try int(Self.tensorCountKey)
    var later: [GGUFPart] = []
    var names = Set(allNames)
    for index in 1..<count {
      let part = try GGUFPart(path: name.path(ofPart: index + 1))
      try part.check(Self.numberKey, is: index)
      try part.check(Self.countKey, is: count)
      try part.check(Self.tensorCountKey, is: tensorCount)
      for tensor in part.allNames where !names.insert(tensor).inserted {
        throw part.error("tensor \(tensor)", .duplicate)
      }
      later.append(part)
    }
    guard names.count == tensorCount else {
      throw error(
        Self.tensorCountKey,
        .invalid(value: "\(tensorCount)", expected: "\(names.count), the tensors of all parts"))
    }
    return later
  }

  private var allNames: [String] { Array(tensors.keys) + Array(unsupportedTensors.keys) }

  private func error(_ field: String, _ problem: ModelFileError.Problem) -> ModelFileError {
    ModelFileError(path: map.path, field: field, problem: problem)
  }

  private func int(_ key: String) throws(ModelFileError) -> Int {
    guard let value = metadata[key] else { throw error(key, .missing) }
    guard let number = value.int else {
      throw error(key, .wrongType(found: value.typeName, expected: "an integer"))
    }
    return number
  }

  /// Parts that were mixed up say so.
  private func check(_ key: String, is expected: Int) throws(ModelFileError) {
    let found = try int(key)
    guard found == expected else {
      throw error(key, .invalid(value: "\(found)", expected: "\(expected)"))
    }
  }
}
