import Kernels

/// The weights of one BERT layer: each block is followed by a sum and a layer norm.
struct EncoderLayer: Sendable {
  let query: Projection
  let key: Projection
  let value: Projection
  let output: Projection
  let attentionNorm: LayerNormWeights
  let intermediate: Projection
  let contraction: Projection
  let outputNorm: LayerNormWeights

  init(
    prefix: String, _ configuration: EncoderConfiguration, _ loader: WeightLoader
  ) throws(ModelError) {
    let width = configuration.width
    let inner = configuration.feedForwardWidth
    func linear(_ name: String, _ outputs: Int, _ inputs: Int) throws(ModelError) -> Projection {
      try loader.projection(prefix + name, outputs: outputs, inputs: inputs)
    }
    query = try linear("attention.self.query", width, width)
    key = try linear("attention.self.key", width, width)
    value = try linear("attention.self.value", width, width)
    output = try linear("attention.output.dense", width, width)
    attentionNorm = try LayerNormWeights(
      prefix: prefix + "attention.output.LayerNorm", width: width, loader)
    intermediate = try linear("intermediate.dense", inner, width)
    contraction = try linear("output.dense", width, inner)
    outputNorm = try LayerNormWeights(prefix: prefix + "output.LayerNorm", width: width, loader)
  }
}

/// Scale and shift of a layer norm. // (width) each
struct LayerNormWeights: Sendable {
  let weight: FloatBuffer
  let bias: FloatBuffer

  init(prefix: String, width: Int, _ loader: WeightLoader) throws(ModelError) {
    weight = try loader.vector(prefix + ".weight", count: width)
    bias = try loader.vector(prefix + ".bias", count: width)
  }
}
