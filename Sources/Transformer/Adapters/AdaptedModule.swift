/// A linear map of a decoder's layer that an adapter may change.
package enum AdaptedModule: Int, Sendable, CaseIterable {
  case query, key, value, output
  case gate, up, down

  /// The name that checkpoints and PEFT give it.
  package var name: String {
    switch self {
    case .query: "q_proj"
    case .key: "k_proj"
    case .value: "v_proj"
    case .output: "o_proj"
    case .gate: "gate_proj"
    case .up: "up_proj"
    case .down: "down_proj"
    }
  }

  /// The name of the block it is in.
  package var parent: String {
    switch self {
    case .query, .key, .value, .output: "self_attn"
    case .gate, .up, .down: "mlp"
    }
  }

  /// What it multiplies.
  var input: AdapterInput {
    switch self {
    case .query, .key, .value: .attention
    case .output: .attended
    case .gate, .up: .feedForward
    case .down: .gated
    }
  }
}

/// The rows that a layer multiplies. Modules with the same input share their products with A.
package enum AdapterInput: Int, Sendable, CaseIterable {
  /// The norm before attention: query, key and value.
  case attention
  /// What the heads gathered: output.
  case attended
  /// The norm before the feed-forward block: gate and up.
  case feedForward
  /// The gated inner rows: down.
  case gated
}
