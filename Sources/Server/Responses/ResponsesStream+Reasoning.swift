import JSON

/// The item that has what a model thinks before it answers.
extension ResponsesStream {
  func reasoning(_ piece: String) -> [UInt8] {
    state.withLock { state in
      var bytes = endCall(&state) + endText(&state, status: "completed")
      let place = ("output_index", JSONValue.int(state.output.count))
      if state.reasoning == nil {
        state.reasoning = ""
        bytes += Self.event(
          "response.output_item.added", &state,
          [place, ("item", response.reasoning(nil, status: "in_progress"))])
        bytes += Self.event(
          "response.content_part.added", &state,
          item(response.reasoningID, place) + [("part", ResponseObject.reasoningPart(""))])
      }
      state.reasoning?.append(piece)
      return bytes
        + Self.event(
          "response.reasoning_text.delta", &state,
          item(response.reasoningID, place) + [("delta", .string(piece))])
    }
  }

  func endReasoning(_ state: inout State, status: String = "completed") -> [UInt8] {
    guard let text = state.reasoning else { return [] }
    state.reasoning = nil
    let place = ("output_index", JSONValue.int(state.output.count))
    let whole = response.reasoning(text, status: status)
    let bytes =
      Self.event(
        "response.reasoning_text.done", &state,
        item(response.reasoningID, place) + [("text", .string(text))])
      + Self.event(
        "response.content_part.done", &state,
        item(response.reasoningID, place) + [("part", ResponseObject.reasoningPart(text))])
      + Self.event("response.output_item.done", &state, [place, ("item", whole)])
    state.output.append(whole)
    return bytes
  }
}
