/// The gates of a mixture of adapters: at most one before attention and one before the
/// feed-forward block of each layer. Each weighs the experts in all the modules of its block.
struct AdapterGates: Sendable {
  /// Where a gate stands: which norm it reads, which modules it decides on.
  enum Place: String, CaseIterable {
    /// The norm before attention; query, key, value and output.
    case attention
    /// The norm before the feed-forward block; gate, up and down.
    case feedForward = "mlp"

    init(_ input: AdapterInput) {
      switch input {
      case .attention, .attended: self = .attention
      case .feedForward, .gated: self = .feedForward
      }
    }

    /// Where what it has seen is kept, if it is smoothed.
    var historyPlace: GateHistories.Place {
      switch self {
      case .attention: .adapterAttention
      case .feedForward: .adapterFeedForward
      }
    }
  }

  /// A layer's gates; nil where no expert adds anything.
  private let attention: [Gate?]
  private let feedForward: [Gate?]
  /// Ids that the gates give: as many as the mixture has adapters and, where a gate has a bypass,
  /// that of nothing but the base.
  let expertCount: Int
  /// What those that are smoothed keep for the positions of a cache's block.
  let historyBytesPerBlock: Int

  init(attention: [Gate?], feedForward: [Gate?]) {
    self.attention = attention
    self.feedForward = feedForward
    let all = (attention + feedForward).compactMap(\.self)
    expertCount = all.reduce(0) { max($0, $1.totalExperts) }
    historyBytesPerBlock = all.reduce(0) { $0 + GateHistory.bytesPerBlock($1) }
  }

  @inline(__always)
  func gate(_ place: Place, layer: Int) -> Gate? {
    switch place {
    case .attention: attention[layer]
    case .feedForward: feedForward[layer]
    }
  }

  /// All gates there are.
  var all: [Gate] { (attention + feedForward).compactMap(\.self) }

  var byteCount: Int {
    (attention + feedForward).reduce(0) { $0 + ($1?.matrix?.byteCount ?? 0) }
  }
}
