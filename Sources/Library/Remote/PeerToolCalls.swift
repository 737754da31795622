import Generation
import JSON
import Tokenization

/// The calls of functions in an endpoint's answer, put together from the pieces in which they come.
struct PeerToolCalls: Sendable {
  private struct Call {
    var id = ""
    var name = ""
    var arguments: [UInt8] = []
  }

  private var calls: [Call] = []
  /// The place in `calls` of the latest call of each number that the endpoint gives.
  private var places: [Int: Int] = [:]
  /// Bytes of all arguments.
  private(set) var byteCount = 0

  private static let maximumCalls = 128

  /// All of them. Whole once the answer has ended.
  var whole: [ToolCall] {
    calls.filter { !$0.name.isEmpty }.map { call in
      ToolCall(
        id: call.id.isEmpty ? ToolCallReader.randomID() : call.id, name: call.name,
        // Of a function without any, some send nothing.
        arguments: call.arguments.isEmpty ? "{}" : String(decoding: call.arguments, as: UTF8.self))
    }
  }

  /// Takes the next pieces: arguments come bit by bit.
  mutating func take(_ pieces: [JSONValue]) throws(CompletionReader.Problem) {
    for (position, piece) in pieces.enumerated() {
      var number: Int?
      if case .int(let index)? = piece["index"] { number = index }
      var id = ""
      if case .string(let text)? = piece["id"] { id = text }
      let function = piece["function"]
      var name = ""
      if case .string(let text)? = function?["name"] { name = text }

      var place = places[number ?? position]
      if let known = place,
        begins(id: id, name: name, isNumbered: number != nil, after: calls[known])
      {
        place = nil
      }
      if place == nil {
        guard calls.count < Self.maximumCalls else {
          throw .init(description: "more than \(Self.maximumCalls) calls of functions")
        }
        calls.append(Call())
      }
      let index = place ?? calls.count - 1
      places[number ?? position] = index
      // Some repeat them with every piece.
      if calls[index].id.isEmpty { calls[index].id = id }
      if calls[index].name.isEmpty { calls[index].name = name }
      let before = calls[index].arguments.count
      switch function?["arguments"] {
      case .string(let text)?: calls[index].arguments += text.utf8
      // Some send them as what they are.
      case .object(let pairs)?: calls[index].arguments = JSONValue.object(pairs).json
      default: break
      }
      byteCount += calls[index].arguments.count - before
    }
  }

  /// Whether a piece is another call's than the one that has its number. Some endpoints number every call 0, or none:
  /// then a name behind arguments that are whole begins another call, as does another name.
  private func begins(id: String, name: String, isNumbered: Bool, after call: Call) -> Bool {
    guard !name.isEmpty, !call.name.isEmpty else { return false }
    let isOther = !id.isEmpty && !call.id.isEmpty && id != call.id
    // A number is believed, but for another id.
    guard isOther || !isNumbered, id.isEmpty || id != call.id else { return false }
    if name != call.name || (isOther && call.arguments.isEmpty) { return true }
    return (try? JSONParser.parse(call.arguments)) != nil
  }
}
