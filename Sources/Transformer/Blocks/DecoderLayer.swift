import Kernels

/// One layer of a decoder: attention and feed-forward around the residual stream.
package struct DecoderLayer: Sendable {
  /// Norm weights before attention. // (width)
  let attentionNorm: FloatBuffer
  let attention: any SelfAttention
  /// Norm weights after attention, before the sum; nil where the family has none.
  let postAttentionNorm: FloatBuffer?
  let feedForwardNorm: FloatBuffer
  let feedForward: any FeedForward
  let postFeedForwardNorm: FloatBuffer?

  init(
    attentionNorm: FloatBuffer, attention: any SelfAttention, postAttentionNorm: FloatBuffer? = nil,
    feedForwardNorm: FloatBuffer, feedForward: any FeedForward,
    postFeedForwardNorm: FloatBuffer? = nil
  ) {
    self.attentionNorm = attentionNorm
    self.attention = attention
    self.postAttentionNorm = postAttentionNorm
    self.feedForwardNorm = feedForwardNorm
    self.feedForward = feedForward
    self.postFeedForwardNorm = postFeedForwardNorm
  }

  /// Bytes that the layer's matrices take.
  var byteCount: Int { attention.byteCount + feedForward.byteCount }
}

extension DecoderLayer {
  /// A layer with one norm before each block, which most families have.
  /// - Parameter feedForwardNorm: GGUF's name of the second one.
  init(
    prefix: String, attention: any SelfAttention, feedForward: any FeedForward,
    feedForwardNorm: String = "ffn_norm", _ configuration: DecoderConfiguration,
    _ loader: WeightLoader
  ) throws(ModelError) {
    let width = configuration.width
    self.init(
      attentionNorm: try loader.vector(prefix + "attn_norm.weight", count: width),
      attention: attention,
      feedForwardNorm: try loader.vector(prefix + feedForwardNorm + ".weight", count: width),
      feedForward: feedForward)
  }
}
