/// `stop`: one text or a list of them.
package struct StopBody: Decodable, Sendable {
  package let texts: [String]

  package init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let one = try? value.decode(String.self) {
      texts = [one]
    } else {
      texts = try value.decode([String].self)
    }
  }
}
