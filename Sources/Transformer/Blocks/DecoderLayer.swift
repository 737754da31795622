import Kernels

/// One layer of a decoder: attention and feed-forward around the residual stream.
package struct DecoderLayer: Sendable {
  /// Norm weights before attention; nil where the family has none. // (width)
  let attentionNorm: FloatBuffer?
  /// nil where the layer has a feed-forward block alone.
  let attention: (any SelfAttention)?
  /// Norm weights after attention, before the sum; nil where the family has none.
  let postAttentionNorm: FloatBuffer?
  /// Norm weights before the feed-forward block; nil where the family has none.
  let feedForwardNorm: FloatBuffer?
  /// nil where the layer mixes positions alone.
  let feedForward: (any FeedForward)?
  let postFeedForwardNorm: FloatBuffer?
  /// What tokens mean to this layer by themselves; nil where the family has no such embeddings. A layer with
  /// one has norms behind its blocks too.
  var embedding: LayerEmbedding?
  /// Factor on the residual stream behind the layer.
  var outputScale: Float = 1

  init(
    attentionNorm: FloatBuffer?, attention: (any SelfAttention)?,
    postAttentionNorm: FloatBuffer? = nil, feedForwardNorm: FloatBuffer?,
    feedForward: (any FeedForward)?,
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
  var byteCount: Int {
    (attention?.byteCount ?? 0) + (feedForward?.byteCount ?? 0) + (embedding?.byteCount ?? 0)
  }
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

  /// A layer with a norm before each block and another behind it, which Gemma, and GLM since 4, have.
  /// - Parameter feedForward: nil for the dense one.
  init(
    sandwiching attention: any SelfAttention, _ index: Int, _ configuration: DecoderConfiguration,
    _ loader: WeightLoader, feedForward: (any FeedForward)? = nil
  ) throws(ModelError) {
    let prefix = "blk.\(index)."
    let width = configuration.width
    let block: any FeedForward =
      if let feedForward { feedForward } else {
        try DenseFeedForward(index, prefix: prefix, configuration, loader)
      }
    self.init(
      attentionNorm: try loader.vector(prefix + "attn_norm.weight", count: width),
      attention: attention,
      postAttentionNorm: try loader.vector(prefix + "post_attention_norm.weight", count: width),
      feedForwardNorm: try loader.vector(prefix + "ffn_norm.weight", count: width),
      feedForward: block,
      postFeedForwardNorm: try loader.vector(prefix + "post_ffw_norm.weight", count: width))
  }
}
