import Foundation
import HTTP
import Routing

/// JSON bodies in and out, with errors that name the field.
package enum JSONCoding {
  /// Encodes a response; keys are sorted so that equal answers are equal bytes.
  package static func encode(_ value: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    do {
      return Array(try encoder.encode(value))
    } catch {
      return Array(
        #"{"error":{"message":"the answer could not be written as JSON","type":"server_error","code":"encoding_failed","param":null}}"#
          .utf8)
    }
  }

  /// A response with a JSON body.
  package static func response(_ value: some Encodable, status: HTTPStatus = .ok) -> HTTPResponse {
    .json(encode(value), status: status)
  }

  /// Decodes a request's body.
  package static func decode<Body: Decodable>(
    _ type: Body.Type, from request: HTTPRequest
  ) throws(APIError) -> Body {
    if let encoding = request.headers["Content-Encoding"], encoding.lowercased() != "identity" {
      throw APIError(
        status: .unsupportedMediaType,
        message:
          "a body in Content-Encoding '\(encoding.prefix(40))' is not read; send it as it is",
        code: "unsupported_encoding")
    }
    guard !request.body.isEmpty else {
      throw .badRequest("the request has no body; expected a JSON object", code: "missing_body")
    }
    let data = Data(request.body)
    do {
      let decoder = JSONDecoder()
      let ordered = OrderedBody(request.body)
      // Of a limit that is there twice, one would be lost: readers differ in which. Where the body can't be read, the
      // decoder says why.
      if let path = try? ordered.read().repeatedKey {
        throw APIError.badRequest(
          "the key '\(path.prefix(100))' occurs twice", code: "repeated_key",
          param: String(path.prefix(100)))
      }
      if let key = OrderedBody.key { decoder.userInfo[key] = ordered }
      return try decoder.decode(type, from: data)
    } catch let error as APIError {
      throw error
    } catch let error as RoutingError {
      throw APIError(error)
    } catch let error as DecodingError {
      // Foundation calls a number that does not fit its field broken JSON.
      if case .dataCorrupted(let context) = error, context.codingPath.isEmpty,
        (try? JSONSerialization.jsonObject(with: data)) != nil
      {
        throw .badRequest("a number in the body is too large or not whole")
      }
      throw APIError(error)
    } catch {
      throw .badRequest("the body is not valid JSON: \(error)", code: "invalid_json")
    }
  }
}

extension APIError {
  init(_ error: DecodingError) {
    switch error {
    case .keyNotFound(let key, let context):
      let path = Self.path(context.codingPath + [key])
      self = .badRequest("'\(path)' is missing", code: "missing_field", param: path)
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      let path = Self.path(context.codingPath)
      let subject = path.isEmpty ? "the body" : "'\(path)'"
      self = .badRequest(
        Self.name(of: type).map { "\(subject) must be \($0)" }
          ?? "\(subject): \(context.debugDescription)",
        code: "invalid_type", param: path.isEmpty ? nil : path)
    case .dataCorrupted(let context):
      let path = Self.path(context.codingPath)
      if path.isEmpty {
        self = .badRequest("the body is not valid JSON", code: "invalid_json")
      } else {
        self = .badRequest("'\(path)': \(context.debugDescription)", param: path)
      }
    @unknown default:
      self = .badRequest("the body could not be read", code: "invalid_json")
    }
  }

  /// What JSON calls a Swift type; nil where nothing here says.
  private static func name(of type: Any.Type) -> String? {
    switch type {
    case is String.Type: "a text"
    case is MessageBody.TextOrParts.Type: "a text or a list of parts"
    case is Bool.Type: "true or false"
    case is any BinaryInteger.Type: "a whole number"
    case is any BinaryFloatingPoint.Type: "a number"
    case is [String: Any].Type, is any KeyedDecodingContainerProtocol.Type: "an object"
    case is [Any].Type, is any UnkeyedDecodingContainer.Type: "a list"
    default: "\(type)".hasPrefix("Dictionary<") ? "an object" : nil
    }
  }

  private static func path(_ keys: [any CodingKey]) -> String {
    keys.map { key in key.intValue.map { "[\($0)]" } ?? key.stringValue }
      .joined(separator: ".").replacing(".[", with: "[")
  }
}

/// A key of any name, to find keys that a body should not have.
struct AnyCodingKey: CodingKey {
  let stringValue: String
  let intValue: Int?

  init?(stringValue: String) {
    self.stringValue = stringValue
    intValue = nil
  }

  init?(intValue: Int) {
    stringValue = "\(intValue)"
    self.intValue = intValue
  }
}

extension Decoder {
  /// Throws if the object has a key that is not in `known`: a misspelt constraint that is silently
  /// ignored could send a private prompt away.
  func rejectUnknownKeys(_ known: [String]) throws {
    for key in try container(keyedBy: AnyCodingKey.self).allKeys
    where !known.contains(key.stringValue) {
      let nearest = key.stringValue.nearest(among: known)
      let path = codingPath.map { "\($0.stringValue)." }.joined()
      throw APIError.badRequest(
        "unknown key '\(path)\(key.stringValue.prefix(100))'"
          + (nearest.map { "; did you mean '\($0)'?" } ?? ""),
        code: "unknown_key", param: path + key.stringValue.prefix(100))
    }
  }

  /// Throws if the object has one of the keys, with a value: an answer without what was asked for is
  /// worse than none.
  ///
  /// - Parameter isHarmless: Whether a value asks for no more than there is anyway.
  func refuseUnsupported(
    _ keys: [String], unless isHarmless: (String, any SingleValueDecodingContainer) -> Bool
  ) throws {
    let values = try container(keyedBy: AnyCodingKey.self)
    for key in values.allKeys where keys.contains(key.stringValue) {
      let value = try values.superDecoder(forKey: key).singleValueContainer()
      if value.decodeNil() || isHarmless(key.stringValue, value) { continue }
      throw APIError.badRequest(
        "'\(key.stringValue)' is not supported", code: "unsupported_parameter",
        param: key.stringValue)
    }
  }
}

extension KeyedDecodingContainer {
  /// A whole number, if there is one. Foundation's own error for a number that does not fit calls
  /// the whole body broken and names no field.
  func wholeNumberIfPresent<Number: FixedWidthInteger & Decodable>(
    forKey key: Key
  ) throws -> Number? {
    do {
      return try decodeIfPresent(Number.self, forKey: key)
    } catch  where (try? decode(Double.self, forKey: key)) != nil {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: "expected a whole number of at most \(Number.bitWidth) bits")
    }
  }
}
