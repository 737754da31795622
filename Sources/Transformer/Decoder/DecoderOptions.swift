import Kernels

/// How a decoder is loaded.
package struct DecoderOptions: Sendable {
  /// `.float` is the slow truth, `.quantized` what serves.
  package var precision: WeightMatrix.Precision = .quantized
  /// Longest sequence; nil for the model's own context length, which it can't exceed.
  package var contextLength: Int?
  /// Rows of one pass at most.
  package var maximumRows = 512
  /// Bytes that all sequences' keys and values may take together.
  package var keyValueLimitBytes = 512 << 20
  /// How keys and values are held; nil for f16 of a `.quantized` model and f32 of a `.float` one.
  package var keyValueType: KVLayout.ElementType?
  /// Bytes for the logits of one slice of rows; a large vocabulary has fewer rows to a slice.
  package var logitBytes = 24 << 20

  /// Whether the output head takes its activations in twice the bits (see `OutputHead`): nearer to
  /// the float truth, for more arithmetic where several sequences decode. nil does so where the
  /// head is less than half of the model.
  package var refinesLogits: Bool?

  /// A gate for every mixture of experts, instead of the model's own, on the model's own scores;
  /// nil for the model's.
  package var gate: GateDescription?
  /// Tokens that gates with a bypass expert (`Gate.hasBypassExpert`) send there instead of choosing;
  /// nil for the control tokens that a GGUF file names.
  package var markedTokens: Set<Int32>?
  /// Cuts each dense feed-forward block into so many equal slices that a request can have fewer
  /// of (`GateRequest.expertsK`); a family of Llama's blocks only. Without `gate` a fixed random
  /// one chooses, with weight 1, and all slices are on unless a request says otherwise.
  package var feedForwardSlices: Int?

  /// Where the packed experts of a mixture lie: nil for memory, unless the whole model is larger
  /// than what is available, which also gives a warning.
  package var expertStorage: WeightStorage?
  /// Folder for the experts of a model that is larger than memory; one on a disk.
  package var spillFolder = "/var/tmp"

  package init(precision: WeightMatrix.Precision = .quantized) { self.precision = precision }
}
