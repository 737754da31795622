import JSON

extension JSONValue {
  /// A member that is a text; nil where there is none.
  ///
  /// - Parameter path: Where the object stands in the body, for the error.
  func textIfPresent(_ key: String, at path: String) throws(APIError) -> String? {
    switch self[key] {
    case nil, .null?: return nil
    case .string(let text)?: return text
    default:
      throw .badRequest(
        "'\(path).\(key)' must be a text", code: "invalid_type", param: "\(path).\(key)")
    }
  }

  /// The same of one that must be there.
  func text(_ key: String, at path: String) throws(APIError) -> String {
    guard let text = try textIfPresent(key, at: path) else {
      throw .badRequest(
        "'\(path).\(key)' is missing", code: "missing_field", param: "\(path).\(key)")
    }
    return text
  }
}
