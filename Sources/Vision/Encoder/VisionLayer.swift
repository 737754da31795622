import Kernels
import Transformer

/// One layer's weights.
struct VisionLayer: Sendable {
  let attentionNorm: LayerNorm
  let query: Projection
  let key: Projection
  let value: Projection
  let output: Projection
  let feedForwardNorm: LayerNorm
  let expansion: Projection
  let contraction: Projection

  init(
    _ index: Int, _ configuration: VisionConfiguration, _ loader: WeightLoader
  ) throws(ModelError) {
    let prefix = "v.blk.\(index)."
    let width = configuration.width
    let inner = configuration.feedForwardWidth
    attentionNorm = try LayerNorm(prefix + "ln1", width: width, loader)
    if loader.contains(prefix + "attn_qkv.weight") {
      let parts = try loader.projections(
        prefix + "attn_qkv", outputs: [width, width, width], inputs: width)
      (query, key, value) = (parts[0], parts[1], parts[2])
    } else {
      query = try loader.projection(prefix + "attn_q", outputs: width, inputs: width)
      key = try loader.projection(prefix + "attn_k", outputs: width, inputs: width)
      value = try loader.projection(prefix + "attn_v", outputs: width, inputs: width)
    }
    output = try loader.projection(prefix + "attn_out", outputs: width, inputs: width)
    feedForwardNorm = try LayerNorm(prefix + "ln2", width: width, loader)
    // Early mmproj files have the two the other way round; llama.cpp tells by their shapes too.
    let swapped =
      inner != width && (try? loader.shape(of: prefix + "ffn_up.weight")) == [width, inner]
    let (up, down) = swapped ? ("ffn_down", "ffn_up") : ("ffn_up", "ffn_down")
    expansion = try loader.projection(prefix + up, outputs: inner, inputs: width)
    contraction = try loader.projection(prefix + down, outputs: width, inputs: inner)
  }

  /// Bytes that the matrices take.
  var byteCount: Int {
    [query, key, value, output, expansion, contraction].reduce(0) { $0 + $1.matrix.byteCount }
  }
}

/// Scale and shift of a layer norm. // (width) each
struct LayerNorm: Sendable {
  let weight: FloatBuffer
  let bias: FloatBuffer

  init(_ prefix: String, width: Int, _ loader: WeightLoader) throws(ModelError) {
    weight = try loader.vector(prefix + ".weight", count: width)
    bias = try loader.vector(prefix + ".bias", count: width)
  }
}
